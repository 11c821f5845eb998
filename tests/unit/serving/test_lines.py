"""Tests of serving.lines."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.lines import LineBuffer, LineTooLongError

LINE_OCTETS_MAX = 12
TOO_LONG = "too long"


def take_all(buffer: LineBuffer, octets_max: int = LINE_OCTETS_MAX) -> list[bytes | str]:
    taken: list[bytes | str] = []
    while True:
        try:
            line = buffer.next_line(octets_max)
        except LineTooLongError:
            taken.append(TOO_LONG)
            continue
        if line is None:
            return taken
        taken.append(line)


def cut_by(pieces: list[bytes]) -> list[bytes | str]:
    buffer = LineBuffer()
    taken: list[bytes | str] = []
    for piece in pieces:
        buffer.append(piece)
        taken += take_all(buffer)
    return taken


@given(st.data())
@settings(max_examples=100)
def test_lines_do_not_depend_on_how_reads_are_cut(data: st.DataObject) -> None:
    stream = b"".join(data.draw(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"bcd", b"0123456789"]))))
    places = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[start:end] for start, end in zip([0, *places], [*places, len(stream)], strict=True)]
    assert cut_by(pieces) == cut_by([stream])


def test_a_line_ends_at_crlf_or_at_bare_lf() -> None:
    assert cut_by([b"NOOP\r\nSTAT\nQUIT\r\n\r\n"]) == [b"NOOP", b"STAT", b"QUIT", b""]


def test_a_carriage_return_within_a_line_stays_in_it() -> None:
    assert cut_by([b"a\rb\r\r\n"]) == [b"a\rb\r"]


def test_an_incomplete_line_waits_for_its_end() -> None:
    buffer = LineBuffer()
    buffer.append(b"NO")
    assert buffer.next_line(LINE_OCTETS_MAX) is None
    assert buffer.pending == 2


def test_the_limit_counts_the_line_end() -> None:
    assert cut_by([b"0123456789\r\n"]) == [b"0123456789"]
    assert cut_by([b"0123456789x\r\n"]) == [TOO_LONG]


def test_a_line_is_too_long_as_soon_as_its_end_cannot_come_in_time() -> None:
    assert cut_by([b"0123456789x"]) == []
    assert cut_by([b"0123456789xy"]) == [TOO_LONG]


def test_the_rest_of_a_line_too_long_is_discarded_and_the_next_line_is_taken() -> None:
    assert cut_by([b"x" * 20, b"y" * 20, b"z\r\nNOOP\r\n"]) == [TOO_LONG, b"NOOP"]


def test_a_line_too_long_occupies_no_memory() -> None:
    buffer = LineBuffer()
    for _ in range(100):
        buffer.append(b"x" * 1000)
        take_all(buffer)
    assert buffer.pending == 0


def test_the_limit_may_change_between_two_lines() -> None:
    buffer = LineBuffer()
    buffer.append(b"0123456789abcdef\r\n0123456789abcdef\r\n")
    assert buffer.next_line(100) == b"0123456789abcdef"
    with pytest.raises(LineTooLongError):
        buffer.next_line(LINE_OCTETS_MAX)


def test_clearing_forgets_lines_halves_of_lines_and_that_one_was_too_long() -> None:
    buffer = LineBuffer()
    buffer.append(b"NOOP\r\nST")
    buffer.clear()
    assert buffer.pending == 0
    buffer.append(b"x" * 50)
    take_all(buffer)
    buffer.clear()
    buffer.append(b"QUIT\r\n")
    assert take_all(buffer) == [b"QUIT"]
