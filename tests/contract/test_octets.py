"""What is delivered is what is read, octet for octet, in wire form; and sizes are exact."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spool.mailbox import MailboxKind
from spool.wire import wire_pieces
from tests.one_user import ENVELOPE, OneUser, read

HEADER = b"Subject: test\n\n"

BODIES = {
    "LF": (b"a\nb\n", b"a\r\nb\r\n"),
    "CRLF": (b"a\r\nb\r\n", b"a\r\nb\r\n"),
    "both": (b"a\r\nb\nc\r\n", b"a\r\nb\r\nc\r\n"),
    "lone CR": (b"a\rb\r\r\nc\n", b"a\rb\r\r\nc\r\n"),
    "CR at the end": (b"a\r", b"a\r\r\n"),
    "no line end at the end": (b"a", b"a\r\n"),
    "leading dots": (b".\n..\n.a\n", b".\r\n..\r\n.a\r\n"),
    "NUL": (b"\0a\0\n\0", b"\0a\0\r\n\0\r\n"),
    "8 bit": (bytes(range(128, 256)) + b"\n", bytes(range(128, 256)) + b"\r\n"),
    "ISO-2022-JP": (b"\x1b$B%a!<%k\x1b(B\n", b"\x1b$B%a!<%k\x1b(B\r\n"),
    "empty lines at the end": (b"a\n\n\n", b"a\r\n\r\n\r\n"),
    "no body": (b"", b""),
    "a line of 1 MB": (b"x" * 1_000_000 + b"\n", b"x" * 1_000_000 + b"\r\n"),
    "a million line ends": (b"\n" * 1_000_000, b"\r\n" * 1_000_000),
    "From-line": (
        b"a\n\nFrom yasuhi@example.org Thu Jan  1 00:00:00 1970\nb\n",
        b"a\r\n\r\nFrom yasuhi@example.org Thu Jan  1 00:00:00 1970\r\nb\r\n",
    ),
    "quoted From-lines": (b"\n>From a\n>>From b\nFrom\n", b"\r\n>From a\r\n>>From b\r\nFrom\r\n"),
    "dot-lock text": (b"From nobody", b"From nobody\r\n"),
}


@pytest.mark.parametrize(("stored", "wire"), BODIES.values(), ids=BODIES)
def test_octets_delivered_are_octets_read(user: OneUser, stored: bytes, wire: bytes) -> None:
    (delivered,) = user.deliver(HEADER + stored)
    (message,) = user.messages()
    assert message.octets == b"Subject: test\r\n\r\n" + wire
    assert delivered.wire_octets == len(message.octets)


@pytest.mark.parametrize("message", [b"", b"\n", b"no header at all", b"\xff\0", b"a: b", b": \n\n"])
def test_a_message_of_unusual_form_is_read_as_it_was_delivered(user: OneUser, message: bytes) -> None:
    user.deliver(b"Subject: before\n\n", message, b"Subject: after\n\n")
    octets = [message.octets for message in user.messages()]
    assert octets == [
        b"Subject: before\r\n\r\n",
        message.replace(b"\n", b"\r\n") + (b"" if not message or message.endswith(b"\n") else b"\r\n"),
        b"Subject: after\r\n\r\n",
    ]


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(MailboxKind),
    parts=st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"From a", b">From ", b".", b"x", b"\0"]), max_size=12),
    step=st.integers(1, 7),
)
def test_delivery_does_not_depend_on_how_the_message_is_cut(kind: MailboxKind, parts: list[bytes], step: int) -> None:
    message = HEADER + b"".join(parts)
    with tempfile.TemporaryDirectory() as directory:
        user = OneUser(Path(directory) / "home", kind)
        user.deliver(message)
        user.mailbox.deliver([message[start : start + step] for start in range(0, len(message), step)], ENVELOPE)
        assert [message.octets for message in user.messages()] == [b"".join(wire_pieces([message]))] * 2


def test_pieces_are_of_bounded_size(user: OneUser) -> None:
    user.deliver(HEADER + b"\n" * 500_000)
    maildrop = user.mailbox.open_maildrop()
    reader = maildrop.open_message(1)
    assert max(map(len, iter(reader.read, b""))) <= 2 * 64 * 1024
    assert reader.read() == b""
    reader.close()
    maildrop.close()


def test_messages_are_read_in_any_order_and_again(user: OneUser) -> None:
    user.deliver(*(b"Subject: %d\n\nbody\n" % number for number in range(5)))
    maildrop = user.mailbox.open_maildrop()
    for number in (5, 1, 3, 3):
        assert read(maildrop, number) == b"Subject: %d\r\n\r\nbody\r\n" % (number - 1)
    maildrop.close()


def test_two_readers_go_on_side_by_side(user: OneUser) -> None:
    user.deliver(HEADER + b"a" * 100_000, HEADER + b"b" * 100_000)
    maildrop = user.mailbox.open_maildrop()
    readers = [maildrop.open_message(number) for number in (1, 2)]
    octets = [b"", b""]
    while pieces := [piece for piece in (reader.read() for reader in readers) if piece]:
        octets = [before + piece for before, piece in zip(octets, pieces, strict=True)]
    assert [(text[-3:], len(text)) for text in octets] == [(b"a\r\n", 100_019), (b"b\r\n", 100_019)]
    for reader in readers:
        reader.close()
        reader.close()
    maildrop.close()


def test_an_empty_mailbox_has_no_messages(user: OneUser) -> None:
    assert user.messages() == []
