"""What a session sees of a Maildir: its messages in order, with sizes and unique-ids.

Reading it costs a look at each name, and at the files of those messages only whose size neither the name nor the index
(``spool.maildir.size_index``) tells. While nothing has changed it need not be read again (``spool.maildir.current``).
"""

from __future__ import annotations

import errno
import os
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from spool.mailbox import MailboxLocation
from spool.maildir.directories import MessageDirectories, Part, Place, read_pieces
from spool.maildir.duplicates import mend_duplicates
from spool.maildir.names import claimed_wire_octets, is_seen
from spool.maildir.order import in_order
from spool.maildir.size_index import SizeIndex
from spool.stamps import Stamp, stamp_of_file
from spool.state import state_file
from spool.unique_ids import UniqueIdFile, keys_of_names
from spool.wire import wire_octets

_OF_ONE_MESSAGE: Final = frozenset({errno.EACCES, errno.EPERM, errno.EIO})  # trouble that need not be that of others

# Of CPython on 64 bits: a str's head, a reference to it and to its place, its size.
_OCTETS_OF_ONE: Final = 49 + 8 + 8 + 8
_OCTETS_OF_ALL: Final = 2000


class Stamps(NamedTuple):
    """Stamps of all that a snapshot is made of."""

    new: Stamp
    cur: Stamp
    unique_ids: Stamp | None
    sizes: Stamp | None

    @classmethod
    def take(cls, location: MailboxLocation, directories: MessageDirectories) -> Stamps:
        """Take them, of the directories as they were opened.

        Raises:
            OSError: something cannot be looked at.
        """
        return cls(
            directories.stamp(Part.NEW),
            directories.stamp(Part.CUR),
            stamp_of_file(state_file(location, UniqueIdFile.SUFFIX)),
            stamp_of_file(state_file(location, SizeIndex.SUFFIX)),
        )

    def are_settled(self, now_ns: int) -> bool:
        """Whether any later change will show. Our own files grow or are replaced, which always shows."""
        return self.new.is_settled(now_ns) and self.cur.is_settled(now_ns)


@dataclass(frozen=True, slots=True)
class MaildirSnapshot:
    """The messages of a Maildir at one moment; indexed from 0. Nobody changes it: sessions share it.

    Memory is the base (the same object as the unique-id, in the common case) and 24 octets a message.

    Attributes:
        stamps: taken before it was read.
        bases: the unique part of each message's name.
        places: where each message lies besides.
        wire_octets: the size of each message.
        unique_ids: what UIDL shows.
        last_seen: highest message number (from 1) of those read before, 0 if none was.
        complete: whether nothing was guessed, or left unmended, that another session may know or mend.
    """

    stamps: Stamps
    bases: Sequence[str]
    places: Sequence[Place]
    wire_octets: Sequence[int]
    unique_ids: Sequence[str]
    last_seen: int
    complete: bool

    @property
    def octets(self) -> int:
        """About how much memory it takes."""
        own_ids = 0 if self.unique_ids is self.bases else sum(map(len, self.unique_ids)) + 57 * len(self.bases)
        return _OCTETS_OF_ALL + _OCTETS_OF_ONE * len(self.bases) + sum(map(len, self.bases)) + own_ids


def read_snapshot(
    location: MailboxLocation,
    directories: MessageDirectories,
    stamps: Stamps,
    make_name: Callable[[], str] | None,
) -> MaildirSnapshot:
    """Read a Maildir.

    Args:
        location: of the mailbox.
        directories: of the Maildir, opened for this session.
        stamps: taken before.
        make_name: makes a name that no message has, to mend what has one name twice; None if another session has the
            lock, so that nothing may be mended.

    Raises:
        SpoolError: the unique-ids cannot be read.
        OSError: the directories cannot be read.
    """
    found = directories.scan()
    complete = not found.second_places or (make_name is not None and mend_duplicates(directories, found, make_name))
    bases = in_order(found.places, lambda base: _mtime_ns(directories, base, found.places[base]))
    keys = keys_of_names(bases)
    index = SizeIndex(location)
    sizes = index.corrected(keys, claimed_wire_octets(bases))
    for position in [position for position, size in enumerate(sizes) if not size]:
        place = found.places[bases[position]]
        try:
            octets = _count(directories, bases[position], place)
        except FileNotFoundError:
            continue  # somebody has removed or moved it since
        except OSError as error:
            if error.errno not in _OF_ONE_MESSAGE:
                raise
            # One message that cannot be read must not hide the others; reading it will say so.
            octets = directories.stat(bases[position], place).st_size
            complete = False
        else:
            index.remember(keys[position], octets)
        sizes[position] = str(octets)
    if "" in sizes:
        bases = [base for base, size in zip(bases, sizes, strict=True) if size]
        keys = keys_of_names(bases)
    if index.save(keys):
        stamps = stamps._replace(sizes=stamp_of_file(state_file(location, SizeIndex.SUFFIX)))
    places = list(map(found.places.__getitem__, bases))
    return MaildirSnapshot(
        stamps=stamps,
        bases=bases,
        places=places,
        wire_octets=array("Q", map(int, filter(None, sizes))),
        unique_ids=UniqueIdFile(location).assign(keys),
        last_seen=_last_seen(places),
        complete=complete,
    )


def _count(directories: MessageDirectories, base: str, place: Place) -> int:
    descriptor = directories.open_file(base, place)
    try:
        return wire_octets(read_pieces(descriptor))
    finally:
        os.close(descriptor)


def _mtime_ns(directories: MessageDirectories, base: str, place: Place) -> int | None:
    try:
        return directories.stat(base, place).st_mtime_ns
    except FileNotFoundError:
        return None


def _last_seen(places: Sequence[Place]) -> int:
    infos = [place.info for place in places]
    seen = set(filter(is_seen, set(infos)))
    return next((number for number in range(len(infos), 0, -1) if infos[number - 1] in seen), 0) if seen else 0
