"""Tests of ``spool.carrying.message``."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.carrying.message import in_mbox, with_fields
from spool.mbox.headers import HEAD_OCTETS
from spool.mbox.view import MessageView, measure
from spool.wire import wire_pieces
from tests.unit.spool.carrying.messages import FROM, SEEN, carried

LINES = (b"From a Thu Jan  1 00:00:00 2015\n", b">From x\n", b" folded\n", b"\n", b"Subject: x\n", b"\r\n", b"a", b"\0")
OCTETS = st.lists(st.sampled_from(LINES), max_size=8).map(b"".join)


def stored(octets: bytes, *, unquote: bool = True) -> tuple[bytes, str]:
    keys: list[str] = []
    form = b"".join(in_mbox(carried(octets, flags=SEEN), unquote=unquote, keys=keys))
    return form, keys[0]


def shown(form: bytes, *, unquote: bool) -> bytes:
    """What POP3 shows of a message in an mbox."""
    view = MessageView(unquote=unquote)
    octets = view.feed(form[len(FROM) : -1]) + view.finish()
    return b"".join(wire_pieces([octets]))


@given(OCTETS)
def test_what_is_read_is_what_was_stored(octets: bytes) -> None:
    form, key = stored(octets)
    assert form.startswith(FROM)
    assert b"\nStatus: RO\n" in form
    assert form.endswith(b"\n")
    assert shown(form, unquote=True) == b"".join(wire_pieces([octets]))
    assert key == measure([form[len(FROM) : -1]], unquote=False).key


@given(OCTETS)
def test_where_quoting_is_shown_what_is_quoted_stays_as_it_is(octets: bytes) -> None:
    quoted = octets.replace(b"From ", b">From ")
    form, _ = stored(quoted, unquote=False)
    assert shown(form, unquote=False) == b"".join(wire_pieces([quoted]))


def test_a_message_without_a_from_line_gets_one() -> None:
    message = replace(carried(b"Return-Path: <a@example.org>\n\n"), from_line=None)
    form = b"".join(in_mbox(message, unquote=True, keys=[]))
    assert form == b"From a@example.org Thu Jan  1 00:00:00 2015\nReturn-Path: <a@example.org>\n\n\n"


def test_a_new_and_empty_message_is_a_from_line_and_a_blank_line() -> None:
    assert b"".join(in_mbox(carried(b""), unquote=True, keys=[])) == FROM + b"\n"


def test_a_long_message_is_whole() -> None:
    octets = b"Subject: x\n\n" + b"line\n" * 10_000
    form, _ = stored(octets)
    assert form == FROM + b"Status: RO\n" + octets + b"\n"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"", b"F: x\n"),
        (b"Subject: x\n\n", b"F: x\nSubject: x\n\n"),
        (b"\nbody", b"F: x\n\nbody"),
        (b" a\n\tb\nSubject: x\n", b" a\n\tb\nF: x\nSubject: x\n"),
        (b" a\n", b" a\nF: x\n"),
        (b" " * HEAD_OCTETS, b" " * HEAD_OCTETS),
    ],
)
def test_fields_go_in_front_of_the_first_line_that_is_no_continuation(head: bytes, expected: bytes) -> None:
    assert with_fields(head, b"F: x\n") == expected
