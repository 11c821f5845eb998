"""Writing carried messages as files of a Maildir."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from spool import durable
from spool.carrying.message import CarriedMessage
from spool.maildir.directories import Part
from spool.maildir.names import UniqueNames, with_sizes
from spool.wire import WireCounter

_SECOND_NS: Final = 1_000_000_000
_MICROSECOND_NS: Final = 1000


class MaildirFiles:
    """Writes messages one after the other, with names that keep them in this order.

    A name tells when the message was delivered, as far as that is not before the one in front and not in the future.
    The time of the file is that of the delivery in any case.

    Args:
        clock_ns: nanoseconds since 1970.
    """

    __slots__ = ("_clock_ns", "_names", "_now_ns")

    def __init__(self, *, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._clock_ns = clock_ns
        self._now_ns = 0
        self._names = UniqueNames(clock_ns=lambda: self._now_ns)

    def write(self, message: CarriedMessage, directories: dict[Part, int]) -> str:
        """Write a message into one of the open directories, by its marks. Its octets are on disk when this returns.

        Returns:
            The name of the file, on disk from the caller's sync of the directory on.

        Raises:
            OSError: it cannot be written; nothing is left.
            MailboxChangedError: it cannot be read any more; nothing is left.
        """
        modified_ns = int(message.seconds * _SECOND_NS)
        self._now_ns = max(min(modified_ns, self._clock_ns()), self._now_ns + _MICROSECOND_NS)
        place, name, counter = message.flags.place, self._names.make(), WireCounter()
        directory = directories[place.part]
        octets = durable.create_file(
            name, _counted(message.pieces(), counter), dir_fd=directory, modified_ns=modified_ns
        )
        final = with_sizes(name, disk_octets=octets, wire_octets=counter.octets) + place.info
        durable.rename(name, final, source_dir_fd=directory, target_dir_fd=directory)
        return final


def part_of(name: str) -> Part:
    """Say where a file with this name belongs: an info means that a mail reader has seen it."""
    return Part.CUR if ":" in name else Part.NEW


def base_of(name: str) -> str:
    """Return the part of a file's name that identifies the message."""
    return name.partition(":")[0]


def _counted(pieces: Iterator[bytes], counter: WireCounter) -> Iterator[bytes]:
    for piece in pieces:
        counter.add(piece)
        yield piece
