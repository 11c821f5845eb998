"""Reading an mbox in parts, which gives the same as reading it from its beginning to its end.

That is so because what follows a place where a message begins does not depend on what is before it
(``spool.mbox.scan.scan``). A part begins at a From_ line behind a blank line, which begins a message unless a
Content-Length says that it is within one; then the part before goes on beyond it, and meets the other part later on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from spool.mbox.blocks import BlockReader
from spool.mbox.from_line import MARK
from spool.mbox.measuring import measure_record
from spool.mbox.plain import PlainMessages
from spool.mbox.scan import is_separator, scan
from spool.mbox.table import MessageTable

_BEFORE: Final = b"\n\n"


@dataclass(frozen=True, slots=True)
class Part:
    """The messages that begin from ``start`` on, but not behind ``limit``; the next one begins at ``stop``."""

    table: MessageTable
    stop: int


def read_part(reader: BlockReader, start: int, limit: int, *, unquote: bool) -> Part:
    """Read the messages that begin from ``start``, where one begins, up to before ``limit``.

    Raises:
        OSError: the file cannot be read.
    """
    table = MessageTable()
    plain = PlainMessages(reader, unquote=unquote)
    while start < limit:
        start = plain.take(start, limit, table)
        if start < limit:
            record = next(scan(reader, start=start))
            table.add_record(record, measure_record(reader, record, unquote=unquote))
            start = record.stop
    return Part(table, start)


def part_starts(reader: BlockReader, start: int, limit: int, parts: int) -> Sequence[int]:
    """Cut what lies between ``start`` and ``limit``, where messages begin, into parts of about the same size.

    Returns:
        Where each of them begins; fewer than ``parts`` where there are not so many messages.

    Raises:
        OSError: the file cannot be read.
    """
    starts = [start]
    for number in range(1, parts):
        middle = max(starts[-1] + 1, start + (limit - start) * number // parts)
        for found, _ in reader.occurrences(_BEFORE + MARK, middle):
            place = found + len(_BEFORE)
            if place >= limit or is_separator(reader, place, after_blank_line=True):
                starts.append(place)
                break
    return [start, *(place for place in starts[1:] if place < limit)]


def join(reader: BlockReader, parts: Sequence[Part], *, unquote: bool) -> MessageTable:
    """Put parts together that were read each up to where the next one begins.

    Raises:
        OSError: the file cannot be read.
    """
    table, stop = parts[0].table, parts[0].stop
    for part in parts[1:]:
        starts = part.table.starts
        while stop < part.stop:
            index = bisect_left(starts, stop)
            if index < len(starts) and starts[index] == stop:
                table = table.followed_by(part.table, index=index)
                stop = part.stop
            else:
                # A message goes on beyond the place where the part begins: read on until they meet.
                limit = starts[index] if index < len(starts) else part.stop
                missing = read_part(reader, stop, limit, unquote=unquote)
                table = table.followed_by(missing.table)
                stop = missing.stop
    return table
