"""What one session remembers of an mbox, and whether it is still true."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Final

from spool.errors import MailboxChangedError
from spool.mbox.blocks import BLOCK_OCTETS, BlockReader
from spool.mbox.from_line import MARK
from spool.mbox.locks import HeldMbox
from spool.mbox.scan import sound_end
from spool.mbox.scanning import SCANNING_PROCESSES, ScanningProcesses
from spool.mbox.table import MessageTable
from spool.mbox.view import measure
from spool.stamps import Stamp, stamp_of

CLOSING_OCTETS: Final = 16

_CLOSED_OCTETS: Final = 4096
# Of CPython on 64 bits: the columns of the table, a str's head, a reference to it.
_OCTETS_OF_ONE: Final = 4 * 8 + 49 + 32 + 8
_OCTETS_OF_ALL: Final = 1000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The messages of an mbox at one moment. Nobody changes it: sessions share it.

    The message in which IMAP servers keep a mailbox's state has no number: POP3 neither shows nor removes it.

    Attributes:
        stamp: of the file, taken before it was read.
        unquote: whether sizes are without mboxrd quoting.
        base: from where on messages have numbers.
        end: where the mail ended; what comes later begins here.
        closing: of the octets before ``end`` (``closing_of``).
        table: the messages.
        read_from: from where on the file was read for this snapshot; what is before it was known.
    """

    stamp: Stamp
    unquote: bool
    base: int
    end: int
    closing: bytes
    table: MessageTable
    read_from: int = 0

    def __len__(self) -> int:
        return len(self.table)

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode of the file, which must stay the same one."""
        return self.stamp.device, self.stamp.inode

    @property
    def wire_octets(self) -> array[int]:
        """Size of each message on the wire."""
        return self.table.wire_octets

    @property
    def keys(self) -> Sequence[str]:
        """For ``spool.unique_ids``, of each message."""
        return self.table.keys

    @property
    def last_read(self) -> int:
        """Highest number of a message marked as read, 0 if none is."""
        return self.table.last_read

    @property
    def octets(self) -> int:
        """About how much memory it takes."""
        return _OCTETS_OF_ALL + _OCTETS_OF_ONE * len(self)

    def content(self, number: int) -> tuple[int, int]:
        """Return the offsets between which message ``number`` lies, its From_ line excluded."""
        return self.table.contents[number - 1], self.table.ends[number - 1]

    def span(self, number: int) -> tuple[int, int]:
        """Return the offsets between which message ``number`` lies with its From_ line and the blank line after it."""
        starts = self.table.starts
        return starts[number - 1], starts[number] if number < len(starts) else self.end

    def before(self, number: int, mbox: HeldMbox) -> Snapshot:
        """Return what is left of it when message ``number`` and all behind it may have changed.

        Args:
            number: of the first such message.
            mbox: the file as it is now.

        Raises:
            OSError: it cannot be read.
        """
        end = self.table.starts[number - 1]
        status = os.fstat(mbox.descriptor)
        reader = BlockReader(mbox.descriptor, status.st_size, before_block=mbox.keep_alive)
        table = self.table.first(number - 1)
        return replace(self, stamp=stamp_of(status), end=end, closing=closing_of(reader, end), table=table)

    def removal(
        self,
        mbox: HeldMbox,
        deleted: AbstractSet[int],
        *,
        processes: ScanningProcesses = SCANNING_PROCESSES,
    ) -> tuple[int, list[tuple[int, int]]]:
        """Plan the removal of messages, once it is certain that they are where they were.

        Every message to be deleted must be there octet for octet, but for storage fields, with its From_ line, and
        behind it another one or the end of the mail. Nothing else is removed, so nothing else is looked at: who deletes
        one message of many thousand does not wait until they are all read. The result is what
        ``spool.mbox.journal.keep_only`` wants: the offset from which on something is removed, and the ranges to keep
        behind it, mail that arrived since included.

        Args:
            mbox: the file, locked.
            deleted: message numbers, at least one.
            processes: read what is much.

        Raises:
            MailboxChangedError: it is not certain.
            OSError: the file cannot be read.
        """
        status = os.fstat(mbox.descriptor)
        if (status.st_dev, status.st_ino) != self.identity or status.st_size < self.end:
            raise MailboxChangedError("another file is in the mbox's place, or it became shorter")
        reader = BlockReader(mbox.descriptor, status.st_size, before_block=mbox.keep_alive)
        reader.end = sound_end(reader)
        for first, last in runs_of(deleted):
            if not self._run_is_in_place(reader, first, last, processes):
                for number in range(first, last + 1):
                    if not self._is_in_place(reader, number):
                        raise MailboxChangedError(f"message {number} is not where it was")
        kept = [*self._kept(deleted), (self._arrived(reader, deleted), reader.end)]
        # Blank lines before the first message go with it.
        first = self.base if 1 in deleted else self.span(min(deleted))[0]
        return first, [(start, stop) for start, stop in kept if start < stop]

    def _kept(self, deleted: AbstractSet[int]) -> Iterator[tuple[int, int]]:
        """What lies between messages that are deleted."""
        runs = list(runs_of(deleted))
        for (_, last), (following, _) in zip(runs, (*runs[1:], (len(self) + 1, 0)), strict=True):
            yield self.span(last)[1], self.end if following > len(self) else self.span(following)[0]

    def _run_is_in_place(self, reader: BlockReader, first: int, last: int, processes: ScanningProcesses) -> bool:
        """Whether messages that lie one behind the other are where they were, told in bulk; False if that cannot be."""
        start, stop = self.span(first)[0], self.span(last)[1]
        if stop - start < BLOCK_OCTETS or last == len(self) or not self._nothing_before(reader, first):
            return False
        found, known = processes.read(reader, start, stop, unquote=False), self.table
        pairs = (
            (found.starts, known.starts),
            (found.contents, known.contents),
            (found.ends, known.ends),
            (found.keys, known.keys),
        )
        return _begins(reader, stop) and all(new == old[first - 1 : last] for new, old in pairs)

    def _is_in_place(self, reader: BlockReader, number: int) -> bool:
        start, stop = self.span(number)
        content, end = self.content(number)
        return (
            _begins(reader, start)
            and self._nothing_before(reader, number)
            and reader.read(content - 1, content) == b"\n"
            and not reader.read(end, stop).strip(b"\r\n")
            and (number == len(self) or _begins(reader, stop))
            and measure(reader.pieces(content, end), unquote=False).key == self.keys[number - 1]
        )

    def _nothing_before(self, reader: BlockReader, number: int) -> bool:
        """Whether a message begins a line, and before the first one, which takes that along, is no mail."""
        start = self.span(number)[0]
        if number > 1:
            return reader.read(start - 1, start) == b"\n"
        return not reader.read(self.base, start).strip(b"\r\n\0")

    def _arrived(self, reader: BlockReader, deleted: AbstractSet[int]) -> int:
        """Where later mail begins."""
        if len(self) not in deleted:
            return self.end
        # Whoever appended after a message without line end or blank line has added them: they go with it.
        closing = reader.read(self.end, self.end + 4)
        start = self.end + len(closing) - len(closing.lstrip(b"\r\n"))
        if start < reader.end and not _begins(reader, start):
            raise MailboxChangedError("the last message has grown")
        return start


NOTHING: Final = Snapshot(Stamp(0, 0, 0, 0, 0), unquote=False, base=0, end=0, closing=b"", table=MessageTable())
"""Of a mailbox without a file."""


def runs_of(numbers: AbstractSet[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last number of each run of numbers without a gap, in order."""
    ordered = sorted(numbers)
    first = 0
    for place, number in enumerate(ordered, 1):
        if place == len(ordered) or ordered[place] != number + 1:
            yield ordered[first], number
            first = place


def closing_of(reader: BlockReader, end: int) -> bytes:
    """Return a digest of the last octets before ``end``.

    Raises:
        OSError: they cannot be read.
    """
    return hashlib.sha256(reader.read(max(end - _CLOSED_OCTETS, 0), end)).digest()[:CLOSING_OCTETS]


def _begins(reader: BlockReader, start: int) -> bool:
    return reader.read(start, start + len(MARK)) == MARK
