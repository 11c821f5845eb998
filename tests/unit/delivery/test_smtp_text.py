"""Tests of ``delivery.smtp_text``."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.errors import ForwardingRefusedError
from delivery.smtp_text import data_of, path_of


def data(*pieces: bytes) -> bytes:
    return b"".join(data_of(pieces))


@pytest.mark.parametrize(
    ("stored", "sent"),
    [
        (b"a: b\n\ntext\n", b"a: b\r\n\r\ntext\r\n.\r\n"),
        (b"", b".\r\n"),
        (b".\n", b"..\r\n.\r\n"),
        (b"a\n.\n..b\nc.\n", b"a\r\n..\r\n...b\r\nc.\r\n.\r\n"),
        (b"no line end", b"no line end\r\n.\r\n"),
        (b"crlf\r\nand lf\n", b"crlf\r\nand lf\r\n.\r\n"),
        (b"a\r.\rb\n\r.\r\n", b"a . b\r\n .\r\n.\r\n"),
        (b"cr at the end\r", b"cr at the end \r\n.\r\n"),
        (b"\r\r\n", b" \r\n.\r\n"),
    ],
)
def test_a_message_is_sent_as_lines_whose_dots_are_doubled(stored: bytes, sent: bytes) -> None:
    assert data(stored) == sent


@given(st.text("ab.\r\n", max_size=12), st.lists(st.integers(0, 12), max_size=4))
def test_what_is_sent_does_not_depend_on_the_pieces_and_ends_with_the_only_dot(text: str, cuts: list[int]) -> None:
    whole = text.encode()
    edges = [0, *sorted(cuts), len(whole)]
    sent = data(*(whole[start:end] for start, end in itertools.pairwise(edges)))
    assert sent == data(whole)
    lines = sent.split(b"\r\n")
    assert lines.index(b".") == len(lines) - 2
    assert not any(b"\r" in line or b"\n" in line for line in lines)


@pytest.mark.parametrize(
    ("address", "path"),
    [
        (None, b"<>"),
        ("joe@example.org", b"<joe@example.org>"),
        ("postmaster", b"<postmaster>"),
        ("a b@example.org", b'<"a b"@example.org>'),
        ("a>b@example.org", b'<"a>b"@example.org>'),
        ("joe@[127.0.0.1]", b"<joe@[127.0.0.1]>"),
        ("jürg@exämple.org", '<"jürg"@exämple.org>'.encode()),
    ],
)
def test_an_address_stands_in_angle_brackets_quoted_if_need_be(address: str | None, path: bytes) -> None:
    assert path_of(address) == path


@pytest.mark.parametrize(
    "address",
    ["", "a\r\nRSET@x", "a@x\r\nDATA", "a@x> SIZE=1", "a@x y", "a@", "a\0@x", "a@\udcff", "\udcff@x", "a@x>"],
)
def test_no_address_becomes_a_command_or_a_parameter(address: str) -> None:
    with pytest.raises(ForwardingRefusedError) as trouble:
        path_of(address)
    assert str(trouble.value.status) in {"5.1.3", "5.6.7"}
    assert address == "" or address not in str(trouble.value)
