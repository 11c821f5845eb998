from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spool.mbox import blocks
from spool.mbox.blocks import BlockReader
from spool.mbox.parts import Part, join, part_starts, read_part
from spool.mbox.scan import first_start, scan
from spool.mbox.table import MessageTable
from spool.mbox.view import measure
from tests.unit.spool.mbox.mbox_files import FROM, anything, mbox_of, memory_reader

BLOCKS = st.sampled_from([40, 200, 1024 * 1024])
# The first message says that the second is a part of it.
SWALLOWING = FROM + b"Content-Length: %d\n\na\n\n" % len(b"a\n\n" + FROM + b"b\n") + mbox_of(b"b\n", b"c\n", b"d\n")


@contextmanager
def reader_of(content: bytes, block_octets: int = 1024 * 1024) -> Iterator[BlockReader]:
    with mock.patch.object(blocks, "BLOCK_OCTETS", block_octets), memory_reader(content) as reader:
        yield reader


def read_by_definition(reader: BlockReader, *, unquote: bool) -> MessageTable:
    """Each message found and measured on its view."""
    table = MessageTable()
    for record in scan(reader):
        table.add_record(record, measure(reader.pieces(record.content, record.end), unquote=unquote))
    return table


def read_in_parts(reader: BlockReader, starts: list[int]) -> MessageTable:
    limits = (*starts[1:], reader.end)
    parts = [read_part(reader, *place, unquote=True) for place in zip(starts, limits, strict=True)]
    return join(reader, parts, unquote=True)


@settings(max_examples=80)
@given(anything(), st.booleans(), BLOCKS)
@example(FROM + b"\n" * 20_000 + b"a\n\n" + mbox_of(b"b\n"), True, 1024 * 1024)
@example(FROM + b"A: b\n" * 5_000 + b"\na\n\n" + mbox_of(b"b\n"), True, 1024 * 1024)
@example(mbox_of(b"A: b\n\n" + b"From " + b"a" * 2_000 + b"\nc\n", b"b\n\nc\n"), True, 1024 * 1024)
@example(mbox_of(b"A: b\n\nc\n") + FROM[:-1] + b"\r\n" + FROM + b"\n", True, 1024 * 1024)
@example(mbox_of(b"A: b\n\n" + b">" * 20 + b"From a\n", b"A: b\n\nb\n"), True, 1024 * 1024)
@example(mbox_of(b"A: b\r\nC: d\n\nc\n", b"A: b\n\nc\n"), True, 1024 * 1024)
@example(mbox_of(b"A: b\n\na From b\nc\n", b"A: b\n\nc\n"), True, 1024 * 1024)
@example(mbox_of(b"A: b\n\n" + b">From a\n" * 60 + b"b\n" * 99, b"Status: R\n\nc\n", b"d\n"), True, 200)
@example(mbox_of(b"A: b\n\n" + b"a\n" * 200 + b"\r\n" + b"b\n" * 200, b"A: b\n\nc\n"), True, 200)
def test_reading_a_part_finds_and_measures_what_the_definition_says(
    content: bytes, unquote: bool, block_octets: int
) -> None:
    with reader_of(content, block_octets) as reader:
        expected = read_by_definition(reader, unquote=unquote)
        assert read_part(reader, first_start(reader), reader.end, unquote=unquote) == Part(expected, reader.end)


@settings(max_examples=80)
@given(anything(), st.integers(1, 6), BLOCKS)
def test_reading_in_parts_is_reading_from_beginning_to_end(content: bytes, number: int, block_octets: int) -> None:
    with reader_of(content, block_octets) as reader:
        starts = list(part_starts(reader, first_start(reader), reader.end, number))
        assert read_in_parts(reader, starts) == read_by_definition(reader, unquote=True)


def test_parts_are_of_about_the_same_size() -> None:
    with reader_of(mbox_of(*[b"A: b\n\nc\n"] * 100)) as reader:
        starts = part_starts(reader, 0, reader.end, 4)
        assert [round(start * 4 / reader.end, 1) for start in starts] == [0, 1, 2, 3]


def test_a_message_that_goes_on_beyond_the_beginning_of_a_part_is_read_once() -> None:
    with reader_of(SWALLOWING) as reader:
        inner = SWALLOWING.index(b"\n\n" + FROM) + 2
        table = read_in_parts(reader, [0, inner])
        assert table == read_by_definition(reader, unquote=True)
        assert inner not in table.starts


def test_a_message_that_goes_on_beyond_a_whole_part_leaves_nothing_of_it() -> None:
    inner = mbox_of(b"b\n", b"c\n")
    content = FROM + b"Content-Length: %d\n\na\n\n" % len(b"a\n\n" + inner[:-1]) + inner + mbox_of(b"d\n")
    with reader_of(content) as reader:
        first = content.index(b"\n\n" + FROM) + 2
        starts = [0, first, first + len(mbox_of(b"b\n"))]
        assert read_in_parts(reader, starts) == read_by_definition(reader, unquote=True)


def test_no_part_begins_behind_the_limit() -> None:
    with reader_of(mbox_of(*[b"A: b\n\nc\n"] * 100)) as reader:
        limit = len(mbox_of(b"A: b\n\nc\n"))
        assert part_starts(reader, 0, limit, 4) == [0]


def test_an_mbox_of_one_message_is_one_part() -> None:
    with reader_of(mbox_of(b"A: b\n\n" + b"c\n" * 100)) as reader:
        assert part_starts(reader, 0, reader.end, 4) == [0]


def test_no_part_begins_at_a_line_of_text() -> None:
    text = b"A: b\n\n" + b"a\n\nFrom here on\n" * 20
    with reader_of(mbox_of(text, text)) as reader:
        assert part_starts(reader, 0, reader.end, 3) == [0, len(mbox_of(text))]


def test_a_part_of_nothing_is_empty() -> None:
    with reader_of(b"") as reader:
        assert read_part(reader, 0, 0, unquote=True) == Part(MessageTable(), 0)


@pytest.mark.parametrize("last", [b"", mbox_of(b"e\n")])
def test_parts_that_disagree_where_messages_begin_are_read_until_they_agree(last: bytes) -> None:
    third = mbox_of(b"d\n")
    second = FROM + b"Content-Length: %d\n\nb\n\n" % len(b"b\n\n" + third[:-1])
    first = FROM + b"Content-Length: %d\n\na\n\n" % len(b"a\n\n" + second[:-1])
    with reader_of(first + second + third + last) as reader:
        table = read_in_parts(reader, [0, len(first)])
        assert table == read_by_definition(reader, unquote=True)
        assert list(table.starts)[:2] == [0, len(first + second)]
