"""Tests of ``mta.smtp.content``: what a message is, and where it ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mta.smtp.content import ChunkDecoder, DataDecoder

OCTETS = st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n", b"\r\n.", b"\r\n.\r\n", b"\n.\n"])).map(b"".join)


def stuffed(message: bytes) -> bytes:
    """A message with CRLF line ends as a client sends it."""
    return ((b"\r\n" + message).replace(b"\r\n.", b"\r\n.."))[2:] + b".\r\n"


def decode(*pieces: bytes) -> tuple[bytes, bytes, DataDecoder]:
    decoder, stored, rest = DataDecoder(), b"", b""
    for piece in pieces:
        if decoder.ended:
            rest += piece
        else:
            taken, rest = decoder.feed(piece)
            stored += taken
    return stored, rest, decoder


@given(
    st.lists(st.sampled_from([b"", b".", b"..", b"a", b". a", b"a.", b"\ra", b"a\nb", b"\n.", b"x" * 50])), st.data()
)
def test_what_is_sent_is_what_is_stored_however_it_is_cut(lines: list[bytes], data: st.DataObject) -> None:
    message = b"".join(line + b"\r\n" for line in lines)
    stream = stuffed(message) + b"QUIT\r\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    stored, rest, decoder = decode(*pieces)
    assert decoder.ended
    assert stored == message.replace(b"\r\n", b"\n")
    assert rest == b"QUIT\r\n"
    assert decoder.bare is any(b"\r" in line or b"\n" in line for line in lines)


@pytest.mark.parametrize(
    "smuggled",
    [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n", b"\n.\r", b"\r\r\n.\n", b"\r\n\0.\r\n"],
)
def test_nothing_but_the_whole_end_ends_a_message(smuggled: bytes) -> None:
    stored, rest, decoder = decode(b"a" + smuggled + b"MAIL FROM:<x>\r\n.\r\nQUIT\r\n")
    assert decoder.ended
    assert rest == b"QUIT\r\n"
    assert b"MAIL FROM:<x>" in stored


def test_an_empty_message_is_empty() -> None:
    assert decode(b".\r\n")[:2] == (b"", b"")
    assert decode(b"\r\n.\r\n")[:2] == (b"\n", b"")


@given(OCTETS, st.data())
def test_chunks_do_not_depend_on_how_they_are_cut(octets: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(octets)))
    decoder = ChunkDecoder()
    stored = decoder.feed(octets[:cut], last=False) + decoder.feed(octets[cut:], last=True)
    assert stored == octets.replace(b"\r\n", b"\n")
    without = octets.replace(b"\r\n", b"")
    assert decoder.bare is (b"\r" in without or b"\n" in without or octets.count(b"\r") != octets.count(b"\r\n"))
