"""What one session remembers of an mbox, and whether it is still true."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from spool.errors import MailboxChangedError
from spool.mbox.blocks import BlockReader
from spool.mbox.from_line import MARK
from spool.mbox.locks import HeldMbox
from spool.mbox.scan import Record, scan, sound_end
from spool.mbox.view import Measure, measure

_OFFSET: Final = "q"


class Snapshot:
    """The messages of an mbox at one moment: 40 octets each, and the key.

    The message in which IMAP servers keep a mailbox's state has no number: POP3 neither shows nor removes it.

    Attributes:
        identity: of the file, which must stay the same one: device and inode.
        end: where the mail ended; what comes later begins here.
        wire_octets: size of each message on the wire.
        keys: for ``spool.unique_ids``, of each message.
        last_read: highest number of a message marked as read, 0 if none is.
    """

    __slots__ = (
        "_base",
        "_contents",
        "_ends",
        "_starts",
        "_stops",
        "end",
        "identity",
        "keys",
        "last_read",
        "wire_octets",
    )

    def __init__(self, identity: tuple[int, int], end: int) -> None:
        self.identity = identity
        self.end = end
        self._base = 0
        self.wire_octets = array(_OFFSET)
        self.keys: list[str] = []
        self.last_read = 0
        self._starts = array(_OFFSET)
        self._contents = array(_OFFSET)
        self._ends = array(_OFFSET)
        self._stops = array(_OFFSET)

    def __len__(self) -> int:
        return len(self.keys)

    def add(self, record: Record, measured: Measure) -> None:
        """Give the next number to a message."""
        self._starts.append(record.start)
        self._contents.append(record.content)
        self._ends.append(record.end)
        self._stops.append(record.stop)
        self.wire_octets.append(measured.wire_octets)
        self.keys.append(measured.key)
        if record.hints.read:
            self.last_read = len(self)

    def hide(self, record: Record) -> None:
        """Leave out a first message that stays where it is, whatever is removed."""
        self._base = record.stop

    def content(self, number: int) -> tuple[int, int]:
        """Return the offsets between which message ``number`` lies, its From_ line excluded."""
        return self._contents[number - 1], self._ends[number - 1]

    def span(self, number: int) -> tuple[int, int]:
        """Return the offsets between which message ``number`` lies with its From_ line and the blank line after it."""
        return self._starts[number - 1], self._stops[number - 1]

    def removal(self, mbox: HeldMbox, deleted: AbstractSet[int]) -> tuple[int, list[tuple[int, int]]]:
        """Plan the removal of messages, once it is certain that they are where they were.

        Every message to be deleted must be there octet for octet, but for storage fields; every other one must still
        begin at its place. The result is what ``spool.mbox.journal.keep_only`` wants: the offset from which on
        something is removed, and the ranges to keep behind it, mail that arrived since included.

        Args:
            mbox: the file, locked.
            deleted: message numbers, at least one.

        Raises:
            MailboxChangedError: it is not certain.
            OSError: the file cannot be read.
        """
        status = os.fstat(mbox.descriptor)
        if (status.st_dev, status.st_ino) != self.identity or status.st_size < self.end:
            raise MailboxChangedError("another file is in the mbox's place, or it became shorter")
        reader = BlockReader(mbox.descriptor, status.st_size, before_block=mbox.keep_alive)
        reader.end = sound_end(reader)
        for number in range(1, len(self) + 1):
            if not (self._is_in_place(reader, number) if number in deleted else self._begins(reader, number)):
                raise MailboxChangedError(f"message {number} is not where it was")
        kept = [*self._kept(deleted), (self._arrived(reader, deleted), reader.end)]
        # Blank lines before the first message go with it.
        first = self._base if 1 in deleted else self._starts[min(deleted) - 1]
        return first, [(start, stop) for start, stop in kept if start < stop]

    def _kept(self, deleted: AbstractSet[int]) -> Iterator[tuple[int, int]]:
        for number in range(min(deleted) + 1, len(self) + 1):
            if number not in deleted:
                yield self._starts[number - 1], self._stops[number - 1]

    def _begins(self, reader: BlockReader, number: int) -> bool:
        start = self._starts[number - 1]
        return reader.read(start, start + len(MARK)) == MARK

    def _is_in_place(self, reader: BlockReader, number: int) -> bool:
        content, end, stop = self._contents[number - 1], self._ends[number - 1], self._stops[number - 1]
        return (
            self._begins(reader, number)
            and reader.read(content - 1, content) == b"\n"
            and not reader.read(end, stop).strip(b"\r\n")
            and measure(reader.pieces(content, end), unquote=False).key == self.keys[number - 1]
        )

    def _arrived(self, reader: BlockReader, deleted: AbstractSet[int]) -> int:
        """Where later mail begins."""
        if len(self) not in deleted:
            return self.end
        # Whoever appended after a message without line end or blank line has added them: they go with it.
        closing = reader.read(self.end, self.end + 4)
        start = self.end + len(closing) - len(closing.lstrip(b"\r\n"))
        if start < reader.end and reader.read(start, start + len(MARK)) != MARK:
            raise MailboxChangedError("the last message has grown")
        return start


def take_snapshot(mbox: HeldMbox, *, unquote: bool) -> Snapshot:
    """Read a whole mbox.

    Args:
        mbox: the file, locked.
        unquote: whether to undo mboxrd quoting; decides sizes, not keys.

    Raises:
        MailboxUnavailableError: it is not an mbox.
        OSError: it cannot be read.
    """
    status = os.fstat(mbox.descriptor)
    reader = BlockReader(mbox.descriptor, status.st_size, before_block=mbox.keep_alive)
    reader.end = sound_end(reader)
    snapshot = Snapshot((status.st_dev, status.st_ino), reader.end)
    for index, record in enumerate(scan(reader)):
        if index == 0 and record.hints.internal:
            snapshot.hide(record)
        else:
            pieces = reader.pieces(record.content, record.end)
            snapshot.add(record, measure(pieces, unquote=unquote and record.may_have_quotes))
    return snapshot
