"""Tests of spool.foreign_ids.header."""

from __future__ import annotations

import pytest

from spool.foreign_ids import header as header_module
from spool.foreign_ids.header import Line, first_value, lines_of, read_header

HEADER = b"Subject: a\r\n b\nDate:  c \nX: \rd"


def read(message: bytes) -> bytes | None:
    return read_header(lambda start, octets: message[start : start + octets], len(message))


def test_lines_are_parted_at_line_feeds_and_know_their_field() -> None:
    assert list(lines_of(HEADER)) == [
        Line(b"subject", continued=False, octets=b"Subject: a\r\n"),
        Line(b"subject", continued=True, octets=b" b\n"),
        Line(b"date", continued=False, octets=b"Date:  c \n"),
        Line(b"x", continued=False, octets=b"X: \rd"),
    ]


def test_a_continuation_before_any_field_is_of_none() -> None:
    assert next(lines_of(b" folded\n")) == Line(b"", continued=True, octets=b" folded\n")


def test_a_value_has_neither_its_name_nor_its_line_end() -> None:
    assert [line.value for line in lines_of(HEADER)] == [b"a", b" b", b"c ", b"\rd"]


def test_the_first_value_of_a_field_is_found() -> None:
    assert first_value(b"A: 1\nB:  2 \n 3\nb: 4\n", b"b") == b"2"
    assert first_value(b"A: 1\n", b"b") is None


def test_a_header_ends_at_the_first_blank_line() -> None:
    assert read(b"A: 1\n\nbody\n\n") == b"A: 1\n"
    assert read(b"A: 1\r\n\r\nbody") == b"A: 1\r\n"


def test_a_message_without_blank_line_is_all_header() -> None:
    assert read(b"A: 1\n") == b"A: 1\n"
    assert read(b"") == b""


def test_a_message_that_became_shorter_is_read_as_far_as_it_goes() -> None:
    assert read_header(lambda start, octets: b"A: 1\n"[start : start + octets], 100) == b"A: 1\n"


def test_a_header_longer_than_the_bound_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header_module, "_PIECE_OCTETS", 10)
    monkeypatch.setattr(header_module, "HEADER_OCTETS_MAX", 100)
    assert read(b"A: " + b"x" * 60 + b"\n\nbody") == b"A: " + b"x" * 60 + b"\n"
    assert read(b"A: " + b"x" * 100 + b"\n\nbody") is None
