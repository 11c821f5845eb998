from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from popd.pop3.sending import MessageEncoder, encode_whole, status_line

# Whatever may stand at the edges of pieces and lines; every LF of wire form is the LF of a CRLF.
LINES = st.lists(
    st.sampled_from([b"", b".", b"..", b"text", b".text", b"\r", b"\0", b"a\rb", b"\xe9", b"\r."]), max_size=8
)
MESSAGES = LINES.map(lambda lines: b"".join(line + b"\r\n" for line in lines))


def pieces_of(message: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(message) + 1) for cut in cuts), len(message)]
    return [message[a:b] for a, b in itertools.pairwise(edges)]


def encoded(pieces: list[bytes], body_lines: int | None = None) -> bytes:
    encoder = MessageEncoder(body_lines)
    out = bytearray()
    for piece in pieces:
        if encoder.done:
            break
        out += encoder.feed(piece)
    return bytes(out + encoder.finish())


def unstuffed(wire: bytes) -> bytes:
    """What a client makes of it: an implementation of its own, line by line."""
    lines = []
    while (line := wire[: wire.index(b"\r\n")]) != b".":
        lines.append(line.removeprefix(b"."))
        wire = wire[len(line) + 2 :]
    assert wire == b".\r\n", "nothing follows the terminator"
    return b"".join(line + b"\r\n" for line in lines)


def top_of(message: bytes, body_lines: int) -> bytes:
    """RFC 1939 section 7, line by line."""
    lines = message.split(b"\r\n")[:-1]
    header = lines.index(b"") + 1 if b"" in lines else len(lines)
    return b"".join(line + b"\r\n" for line in lines[: header + body_lines])


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (b"", b".\r\n"),
        (b"\r\n", b"\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"..\r\n", b"...\r\n.\r\n"),
        (b"a\r\n.b\r\nc.\r\n", b"a\r\n..b\r\nc.\r\n.\r\n"),
        (b"no line end", b"no line end\r\n.\r\n"),
        (b"ends in CR\r", b"ends in CR\r\r\n.\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b"nul\0 8-bit \xe9\r\n", b"nul\0 8-bit \xe9\r\n.\r\n"),
    ],
)
def test_a_message_is_stuffed_and_terminated(message: bytes, wire: bytes) -> None:
    assert encode_whole(message, None) == wire


def test_a_bare_line_feed_cannot_fake_the_end() -> None:
    assert b"\n.\n" not in encode_whole(b"a\n.\nb\r\n", None)


@given(MESSAGES)
def test_the_client_gets_the_message_back(message: bytes) -> None:
    wire = encode_whole(message, None)
    assert unstuffed(wire) == message


@given(MESSAGES)
def test_the_size_is_what_is_sent_without_stuffing_and_terminator(message: bytes) -> None:
    wire = encode_whole(message, None)
    stuffing = sum(line.startswith(b".") for line in message.split(b"\r\n"))
    assert len(wire) - len(b".\r\n") - stuffing == len(message)


@given(MESSAGES, st.lists(st.integers(0, 60), max_size=6))
def test_output_does_not_depend_on_how_the_message_is_cut(message: bytes, cuts: list[int]) -> None:
    assert encoded(pieces_of(message, cuts)) == encode_whole(message, None)


@given(MESSAGES, st.integers(0, 9))
def test_top_is_the_header_and_so_many_lines(message: bytes, body_lines: int) -> None:
    assert unstuffed(encode_whole(message, body_lines)) == top_of(message, body_lines)


@given(MESSAGES, st.lists(st.integers(0, 60), max_size=6), st.integers(0, 5))
def test_top_does_not_depend_on_how_the_message_is_cut(message: bytes, cuts: list[int], body_lines: int) -> None:
    assert encoded(pieces_of(message, cuts), body_lines) == encode_whole(message, body_lines)


@pytest.mark.parametrize("body_lines", [None, 0, 1, 2, 3, 99])
def test_one_octet_at_a_time_changes_nothing(body_lines: int | None) -> None:
    message = b"A: b\r\n\r\n.one\r\n..\r\n\r\n\r.two\r\n"
    pieces = [bytes([octet]) for octet in message]
    assert encoded(pieces, body_lines) == encode_whole(message, body_lines)


@pytest.mark.parametrize(
    ("body_lines", "wire"),
    [
        (0, b"A: b\r\n\r\n.\r\n"),
        (1, b"A: b\r\n\r\n..one\r\n.\r\n"),
        (2, b"A: b\r\n\r\n..one\r\ntwo\r\n.\r\n"),
        (3, b"A: b\r\n\r\n..one\r\ntwo\r\n.\r\n"),
        (2**31 - 1, b"A: b\r\n\r\n..one\r\ntwo\r\n.\r\n"),
    ],
)
def test_top_sends_what_there_is(body_lines: int, wire: bytes) -> None:
    assert encode_whole(b"A: b\r\n\r\n.one\r\ntwo\r\n", body_lines) == wire


def test_top_of_a_message_without_a_blank_line_is_all_of_it() -> None:
    assert encode_whole(b"A: b\r\nC: d\r\n", 0) == b"A: b\r\nC: d\r\n.\r\n"


def test_top_of_a_message_without_a_header_is_its_blank_line() -> None:
    assert encode_whole(b"\r\nbody\r\n", 0) == b"\r\n.\r\n"


def test_top_keeps_a_last_line_that_has_no_end() -> None:
    assert encode_whole(b"A: b\r\n\r\nlast", 5) == b"A: b\r\n\r\nlast\r\n.\r\n"


def test_the_shell_can_stop_reading_when_top_is_done() -> None:
    encoder = MessageEncoder(1)
    done = []
    for piece in (b"A: b\r\n", b"\r\n", b"one", b"\r\n", b"two\r\n"):
        encoder.feed(piece)
        done.append(encoder.done)
    assert done == [False, False, False, True, True]
    assert encoder.feed(b"more\r\n") == b""


def test_top_of_no_lines_is_done_at_the_blank_line() -> None:
    encoder = MessageEncoder(0)
    encoder.feed(b"A: b\r\n\r\n")
    assert encoder.done


def test_a_whole_message_is_never_done_early() -> None:
    encoder = MessageEncoder()
    encoder.feed(b"A: b\r\n\r\none\r\n")
    assert not encoder.done


def test_an_empty_piece_changes_nothing() -> None:
    encoder = MessageEncoder()
    assert encoder.feed(b"a\r\n") + encoder.feed(b"") + encoder.feed(b".\r\n") == b"a\r\n..\r\n"


def test_the_status_line_of_retr_tells_the_size() -> None:
    assert status_line(120, None) == b"+OK 120 octets\r\n"


def test_the_status_line_of_top_tells_no_size() -> None:
    assert status_line(120, 0) == b"+OK top of message follows\r\n"
