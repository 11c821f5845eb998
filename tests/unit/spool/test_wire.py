from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.wire import WireEncoder, wire_octets, wire_pieces

stored = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b".", b"\0", b"\xff"]), max_size=30).map(b"".join)


def by_octets(message: bytes) -> bytes:
    """The rules, said octet by octet."""
    wire = b""
    for octet in message:
        wire += b"\r\n" if octet == 10 and not wire.endswith(b"\r") else bytes([octet])
    return wire if not wire or wire.endswith(b"\n") else wire + b"\r\n"


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (b"", b""),
        (b"a\nb\n", b"a\r\nb\r\n"),
        (b"a\r\nb\r\n", b"a\r\nb\r\n"),
        (b"a\r\nb\n", b"a\r\nb\r\n"),
        (b"a", b"a\r\n"),
        (b"a\r", b"a\r\r\n"),
        (b"a\rb\n", b"a\rb\r\n"),
        (b"a\r\r\nb\n", b"a\r\r\nb\r\n"),
        (b"\n", b"\r\n"),
        (b"\n\n", b"\r\n\r\n"),
    ],
)
def test_lf_becomes_crlf_and_nothing_else_changes(message: bytes, wire: bytes) -> None:
    assert b"".join(wire_pieces([message])) == wire


@given(stored, st.lists(st.integers(0, 60), max_size=6))
def test_wire_form_does_not_depend_on_how_the_message_is_cut(message: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(message)]
    pieces = [message[start:end] for start, end in itertools.pairwise(places)]
    assert b"".join(wire_pieces(pieces)) == by_octets(message)


@given(stored, st.integers(1, 5))
def test_counted_octets_are_those_of_the_wire_form(message: bytes, step: int) -> None:
    pieces = [message[start : start + step] for start in range(0, len(message), step)]
    assert wire_octets(pieces) == wire_octets([message]) == len(by_octets(message))


@given(stored)
def test_no_piece_of_a_wire_form_is_empty(message: bytes) -> None:
    assert b"" not in list(wire_pieces([b"", message, b""]))


def test_wire_form_of_a_piece_is_at_most_twice_as_long() -> None:
    assert len(WireEncoder().encode(b"\n" * 1000)) == 2000


def test_empty_pieces_change_nothing() -> None:
    assert b"".join(wire_pieces([b"", b"a\r", b"", b"\n", b""])) == b"a\r\n"
    assert wire_octets([b"", b"a\r", b"", b"\n", b""]) == 3
