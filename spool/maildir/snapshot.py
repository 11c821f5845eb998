"""What one session sees of a Maildir: its messages in order, with sizes and unique-ids.

The order is that of delivery, oldest first: by the time in the name, else by the file's time, and by the name where
times are equal. A name's time never changes, so messages keep their order from session to session.
"""

from __future__ import annotations

import errno
import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from spool.mailbox import MailboxLocation
from spool.maildir.directories import MessageDirectories, Place
from spool.maildir.names import delivery_time, is_seen, wire_octets_in
from spool.maildir.size_index import SizeIndex
from spool.unique_ids import UniqueIdFile, key_of_name
from spool.wire import wire_octets

_OF_ONE_MESSAGE: Final = frozenset({errno.EACCES, errno.EPERM, errno.EIO})  # trouble that need not be that of others

PIECE_OCTETS: Final = 64 * 1024  # reading more at once is no faster, and this is what a session holds


class MaildirSnapshot:
    """The messages of a Maildir at one moment; indexed from 0.

    Memory is the base (the same object as the unique-id, in the common case) and 24 octets a message.

    Raises:
        SpoolError: the unique-ids cannot be read.
        OSError: the directories cannot be read.
    """

    __slots__ = ("_directories", "bases", "places", "unique_ids", "wire_octets")

    def __init__(self, location: MailboxLocation, directories: MessageDirectories) -> None:
        self._directories = directories
        self.bases: list[str] = []
        self.places: list[Place | None] = []
        self.wire_octets: array[int] = array("Q")
        keys: list[str] = []
        index = SizeIndex(location)
        found = directories.scan()
        for base in _in_order(directories, found):
            place, key = found[base], key_of_name(base)
            try:
                octets = _size(directories, index, base, place, key)
            except FileNotFoundError:
                continue  # somebody has removed or moved it since
            self.wire_octets.append(octets)
            self.bases.append(base)
            self.places.append(place)
            keys.append(key)
        index.save(keys)
        self.unique_ids: Sequence[str] = UniqueIdFile(location).assign(keys)

    @property
    def last_seen(self) -> int:
        """Highest message number (from 1) of those read before, 0 if none was."""
        infos = [place.info if place else "" for place in self.places]
        seen = set(filter(is_seen, set(infos)))
        return max((number for number, info in enumerate(infos, 1) if info in seen), default=0) if seen else 0

    def refresh(self) -> None:
        """Find out where the messages are now; the place of one that is gone is None."""
        found = self._directories.scan()
        self.places = [found.get(base) for base in self.bases]


def read_pieces(descriptor: int) -> Iterator[bytes]:
    """Yield the rest of an open file, and close it in the end."""
    try:
        while piece := os.read(descriptor, PIECE_OCTETS):
            yield piece
    finally:
        os.close(descriptor)


def _in_order(directories: MessageDirectories, found: Mapping[str, Place]) -> list[str]:
    timed = []
    for base, place in found.items():
        time = delivery_time(base)
        if time is None:
            try:
                time = divmod(directories.stat(base, place).st_mtime_ns // 1000, 1_000_000)
            except FileNotFoundError:
                continue
        timed.append((time, base))
    timed.sort()
    return [base for _, base in timed]


def _size(directories: MessageDirectories, index: SizeIndex, base: str, place: Place, key: str) -> int:
    claimed = wire_octets_in(base)
    if claimed is not None and key not in index:
        return claimed
    status = directories.stat(base, place)
    octets = index.find(key, status)
    if octets is not None:
        return octets
    if claimed is not None:
        return claimed
    try:
        octets = wire_octets(read_pieces(directories.open_file(base, place)))
    except OSError as error:
        if error.errno not in _OF_ONE_MESSAGE:
            raise
        return status.st_size  # one message that cannot be read must not hide the others; reading it will say so
    index.remember(key, status, octets)
    return octets
