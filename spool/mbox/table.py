"""What is known of the messages of an mbox, in columns: 40 octets a message besides its key.

The columns go from a scanning process to the one that asked (``spool.mbox.scanning``) and into the index
(``spool.mbox.index``) as octets, in the order and the byte order in which they lie in memory: both stay on the machine.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from spool.mbox.scan import Record
from spool.mbox.view import KEY_OCTETS, Measure

_NUMBERS: Final = "q"
_HEAD: Final = struct.Struct("=qqq")
_NUMBER_OCTETS: Final = array(_NUMBERS).itemsize


def _numbers() -> array[int]:
    return array(_NUMBERS)


@dataclass(slots=True)
class MessageTable:
    """Messages one behind the other; columns are indexed from 0.

    Attributes:
        starts: where each message's From_ line begins; it lies up to where the next one begins.
        contents: where its header begins.
        ends: where it ends, before the blank line.
        wire_octets: its size as RETR sends it.
        keys: for ``spool.unique_ids``.
        last_read: how many messages there are up to the last that is marked as read.
        unused_ends: pairs of a message's index and its ``Record.unused_end``, for those that have one.
    """

    starts: array[int] = field(default_factory=_numbers)
    contents: array[int] = field(default_factory=_numbers)
    ends: array[int] = field(default_factory=_numbers)
    wire_octets: array[int] = field(default_factory=_numbers)
    keys: list[str] = field(default_factory=list)
    last_read: int = 0
    unused_ends: array[int] = field(default_factory=_numbers)

    def __len__(self) -> int:
        return len(self.keys)

    def add(self, start: int, content: int, end: int, wire_octets: int, key: str, *, read: bool) -> None:
        """Add a message; ``read`` says whether it is marked as read."""
        self.starts.append(start)
        self.contents.append(content)
        self.ends.append(end)
        self.wire_octets.append(wire_octets)
        self.keys.append(key)
        if read:
            self.last_read = len(self.keys)

    def add_record(self, record: Record, measured: Measure) -> None:
        """Add a message as the scan has found it."""
        if record.unused_end is not None:
            self.unused_ends.extend((len(self), record.unused_end))
        self.add(record.start, record.content, record.end, measured.wire_octets, measured.key, read=record.hints.read)

    def first(self, count: int) -> MessageTable:
        """Return the first ``count`` messages."""
        unused_ends = _numbers()
        for index, end in self.unused():
            if index < count:
                unused_ends.extend((index, end))
        # What a mail reader has marked is a hint; one that is too low tells LAST less than is true.
        last_read = self.last_read if self.last_read <= count else 0
        starts, contents, ends, wire_octets = (column[:count] for column in self._columns())
        return MessageTable(starts, contents, ends, wire_octets, self.keys[:count], last_read, unused_ends)

    def followed_by(self, other: MessageTable, *, index: int = 0) -> MessageTable:
        """Return these messages and, behind them, those of another table from an index on."""
        moved = _numbers()
        for found, end in other.unused():
            if found >= index:
                moved.extend((found - index + len(self), end))
        pairs = zip(self._columns(), other._columns(), strict=True)
        starts, contents, ends, wire_octets = (mine + theirs[index:] for mine, theirs in pairs)
        keys = self.keys + other.keys[index:]
        last_read = len(self) + other.last_read - index if other.last_read > index else self.last_read
        return MessageTable(starts, contents, ends, wire_octets, keys, last_read, self.unused_ends + moved)

    def unused(self) -> Iterator[tuple[int, int]]:
        """Yield the pairs of ``unused_ends``."""
        pairs = iter(self.unused_ends)
        return zip(pairs, pairs, strict=True)

    def encode(self) -> Iterator[bytes]:
        """Yield the table as octets."""
        yield _HEAD.pack(len(self), self.last_read, len(self.unused_ends))
        for column in (*self._columns(), self.unused_ends):
            yield column.tobytes()
        yield bytes.fromhex("".join(self.keys))

    @classmethod
    def decode(cls, octets: bytes) -> MessageTable:
        """Take a table out of octets.

        Raises:
            ValueError: they are of no table.
        """
        if len(octets) < _HEAD.size:
            raise ValueError("it has no head")
        count, last_read, unused = _HEAD.unpack_from(octets)
        if unused % 2 or len(octets) != _HEAD.size + _NUMBER_OCTETS * (4 * count + unused) + KEY_OCTETS * count:
            raise ValueError("its length does not fit its head")
        start = _HEAD.size
        columns = []
        for length in (count, count, count, count, unused):
            columns.append(array(_NUMBERS, octets[start : start + _NUMBER_OCTETS * length]))
            start += _NUMBER_OCTETS * length
        digits = octets[start:].hex()
        keys = [digits[place : place + 2 * KEY_OCTETS] for place in range(0, len(digits), 2 * KEY_OCTETS)]
        starts, contents, ends, wire_octets, unused_ends = columns
        return cls(starts, contents, ends, wire_octets, keys, last_read, unused_ends)

    def _columns(self) -> Sequence[array[int]]:
        return self.starts, self.contents, self.ends, self.wire_octets
