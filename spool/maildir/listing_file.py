"""A snapshot of a large Maildir kept in a file, for processes that have not seen it yet.

What ``spool.kept_snapshots`` is for one process, this is for the next one: a worker after a restart, the other workers,
a user's next mail process. Reading 100,000 names and putting them in order takes 0.5 s, this file 0.04 s.

The file begins with the stamps of what the snapshot was made of, and is used only if they are those of now. It is
disposable and not trusted further than that: a checksum shows that the rest is whole. So that it is neither large nor
complicated, it is written only for mailboxes in which each name is the message's unique-id, as with new mail.

Form: a line with the stamps, a line with the checksum of the rest, a line of JSON, then one octet a message (its place,
an index into the places in the JSON), eight octets a message (its size on the wire), and the names joined by ``/``.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import zlib
from array import array
from typing import ClassVar, Final

from spool import durable
from spool.errors import SpoolError
from spool.mailbox import MailboxLocation
from spool.maildir.directories import Part, Place
from spool.maildir.snapshot import MaildirSnapshot, Stamps
from spool.state import make_state_directory, state_file

MESSAGES_MIN: Final = 2000  # those are read in 10 ms, about what writing the file costs
FILE_OCTETS_MAX: Final = 256 * 1024 * 1024

_PLACES_MAX: Final = 256


class ListingFile:
    """The file of one Maildir. No method raises for what the file is or holds, or because it cannot be written."""

    SUFFIX: ClassVar[str] = ".listing"

    def __init__(self, location: MailboxLocation) -> None:
        self._location = location
        self._path = state_file(location, self.SUFFIX)

    def load(self, stamps: Stamps) -> MaildirSnapshot | None:
        """Return the snapshot with these stamps, None if the file has another one or none."""
        expected = _first_line(stamps)
        # A checksum keeps out what is torn, and nothing that somebody made up.
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                if file.read(len(expected)) == expected:
                    checksum, rest = file.readline(), file.read(FILE_OCTETS_MAX)
                    if checksum == _checksum(rest):
                        return _parse(rest, stamps)
        return None

    def save(self, snapshot: MaildirSnapshot) -> None:
        """Write a snapshot, if it is of a kind and size that the file is for."""
        places = list(set(snapshot.places))
        own_ids = snapshot.unique_ids is snapshot.bases
        if len(snapshot.bases) < MESSAGES_MIN or not own_ids or len(places) > _PLACES_MAX:
            return
        number = {place: index for index, place in enumerate(places)}
        about = {
            "messages": len(snapshot.bases),
            "last_seen": snapshot.last_seen,
            "places": [(place.part.value, place.info) for place in places],
        }
        rest = b"".join(
            (
                json.dumps(about).encode("ascii") + b"\n",
                bytes(map(number.__getitem__, snapshot.places)),
                array("Q", snapshot.wire_octets).tobytes(),
                "/".join(snapshot.bases).encode("ascii"),
            )
        )
        with contextlib.suppress(SpoolError, OSError):
            make_state_directory(self._location)
            durable.put_file(self._path, [_first_line(snapshot.stamps), _checksum(rest), rest])


def _first_line(stamps: Stamps) -> bytes:
    # The byte order belongs to what must be equal: two machines may share a home.
    return json.dumps(["mailspool-listing 1", sys.byteorder, *stamps]).encode("ascii") + b"\n"


def _checksum(rest: bytes) -> bytes:
    return b"%d\n" % zlib.crc32(rest)


def _parse(rest: bytes, stamps: Stamps) -> MaildirSnapshot:
    line, _, columns = rest.partition(b"\n")
    about = json.loads(line)
    messages = about["messages"]
    places = [Place(Part(part), info) for part, info in about["places"]]
    bases = columns[9 * messages :].decode("ascii").split("/")
    if len(bases) != messages:
        raise ValueError("other names than messages")
    return MaildirSnapshot(
        stamps=stamps,
        bases=bases,
        places=[places[index] for index in columns[:messages]],
        wire_octets=array("Q", columns[messages : 9 * messages]),
        unique_ids=bases,
        last_seen=about["last_seen"],
        complete=True,
    )
