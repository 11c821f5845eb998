"""Tests of ``delivery.lmtp_client``."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery import lmtp_client
from delivery.lmtp_client import (
    CHUNK_OCTETS,
    REPLY_OCTETS_MAX,
    HandOverError,
    NobodyThereError,
    Reply,
    hand_over,
    path_of,
)
from delivery.lmtp_socket import LmtpSocket
from mta.smtp.addresses import parse_path
from mta.smtp.replies import Reply as Answer
from mta.smtp.steps import Envelope
from tests.unit.delivery.lmtp_service import Delivered, lmtp_service, scripted, serving

GREETING = b"220 host LMTP\r\n"
LHLO = b"250-host\r\n250-PIPELINING\r\n250 CHUNKING\r\n"
BEGUN = b"250 2.1.0 ok\r\n250 2.1.5 ok\r\n"


@contextlib.contextmanager
def message_of(octets: bytes) -> Iterator[int]:
    descriptor = os.memfd_create("message")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(octets)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def handed_over(place: LmtpSocket, octets: bytes, sender: str = "s@a.org", recipient: str = "joe@b.org") -> Reply:
    with message_of(octets) as message:
        return hand_over(place, sender, recipient, message)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LmtpSocket, Delivered]]:
    with lmtp_service(tmp_path_factory.mktemp("service")) as found:
        yield found


# -- the message ------------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"\0", b"a", b"From x", b"\xff\x80", b".\r\n"])))
@settings(deadline=None)
def test_what_is_stored_is_what_was_handed_over_octet_for_octet(
    service: tuple[LmtpSocket, Delivered], pieces: list[bytes]
) -> None:
    place, delivered = service
    reply = handed_over(place, b"".join(pieces))
    assert (reply.code, reply.status, reply.good) == (250, "2.1.5", True)
    octets = b"".join(pieces)
    if octets.startswith(b"From "):
        octets = octets.partition(b"\n")[2]
    assert delivered.mail.pop() == (Envelope("s@a.org", ("joe@b.org",)), octets)


@pytest.mark.parametrize("more", [-1, 0, 1, 5 * CHUNK_OCTETS])
def test_a_large_message_goes_in_chunks_whatever_stands_where_they_meet(
    service: tuple[LmtpSocket, Delivered], more: int
) -> None:
    place, delivered = service
    octets = b"x" * (CHUNK_OCTETS - 1) + b"\r" + b"\n" * (CHUNK_OCTETS + more)
    assert handed_over(place, octets).good
    assert delivered.mail.pop()[1] == octets


def test_a_message_that_comes_bit_by_bit_is_taken_to_its_end(service: tuple[LmtpSocket, Delivered]) -> None:
    place, delivered = service
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"one\n")
        theirs.sendall(b"two\n")
        theirs.shutdown(socket.SHUT_WR)
        assert hand_over(place, "", "joe", ours.fileno()).good
    assert delivered.mail.pop() == (Envelope(None, ("joe",)), b"one\ntwo\n")


def test_a_message_that_cannot_be_read_is_not_delivered(service: tuple[LmtpSocket, Delivered], tmp_path: Path) -> None:
    place, delivered = service
    directory = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(HandOverError):
        hand_over(place, "", "joe", directory)
    os.close(directory)
    assert delivered.mail == []


# -- addresses --------------------------------------------------------------------------------------------------------


@given(st.text(st.characters(codec="utf-8") | st.sampled_from('@."\\ <>-[]'), max_size=20))
def test_an_address_that_has_a_path_comes_out_of_it_as_it_was(address: str) -> None:
    path = path_of(address)
    if path is not None:
        assert parse_path(path.decode(), utf8=True) == address


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("joe", b"<joe>"),
        ("joe-list@a.example.", b"<joe-list@a.example.>"),
        ("a b@a.org", b'<"a b"@a.org>'),
        ('a"\\@a.org', b'<"a\\"\\\\"@a.org>'),
        (".joe@a.org", b'<".joe"@a.org>'),
        ("j\xf6e@b\xfccher.example", "<j\xf6e@b\xfccher.example>".encode()),
        ("j\udcff", b"<j\xff>"),
    ],
)
def test_local_parts_are_quoted_where_they_have_to_be(address: str, path: bytes) -> None:
    assert path_of(address) == path


@pytest.mark.parametrize(
    "address", ["", "@a.org", "joe@", "joe@-a", "joe@a-", "joe@a..b", "joe@a b", "j\noe", "j\x7f", "x" * 511]
)
def test_what_cannot_be_said_has_no_path(address: str) -> None:
    assert path_of(address) is None


def test_what_is_not_ascii_is_announced(service: tuple[LmtpSocket, Delivered]) -> None:
    place, delivered = service
    assert handed_over(place, b"", "s\xf6@a.org", "j\xf6e").good
    assert delivered.mail.pop()[0] == Envelope("s\xf6@a.org", ("j\xf6e",))


@pytest.mark.parametrize(("sender", "recipient"), [("s@a b", "joe"), ("", "joe@a b")])
def test_an_address_that_cannot_be_said_is_not_for_the_service(
    service: tuple[LmtpSocket, Delivered], sender: str, recipient: str
) -> None:
    with pytest.raises(NobodyThereError):
        handed_over(service[0], b"", sender, recipient)


# -- what the service says --------------------------------------------------------------------------------------------


def test_a_refused_recipient_is_told_and_the_message_not_read(tmp_path: Path) -> None:
    refusal = Answer(550, "5.1.1", "no such user")
    with lmtp_service(tmp_path, refusal=refusal) as (place, delivered), message_of(b"body") as message:
        reply = hand_over(place, "", "joe", message)
        assert os.lseek(message, 0, os.SEEK_CUR) == 0
    assert (reply.code, reply.status, reply.text, reply.good) == (550, "5.1.1", "no such user", False)
    assert delivered.mail == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"451 4.3.0 mail system error\r\n", (451, "4.3.0", "mail system error")),
        (b"550 5.3.0-first\r\n", (550, "", "5.3.0-first")),
        (b"550 no status\r\n", (550, "", "no status")),
        (b"250\r\n", (250, "", "")),
        (b"552-more\r\n552 5.3.4 too large\r\n", (552, "5.3.4", "too large")),
    ],
)
def test_replies_are_understood_with_and_without_a_status(
    tmp_path: Path, line: bytes, expected: tuple[int, str, str]
) -> None:
    with serving(tmp_path, scripted(GREETING, LHLO, BEGUN, line)) as place:
        reply = handed_over(place, b"body\n")
    assert (reply.code, reply.status, reply.text) == expected


@pytest.mark.parametrize(
    "replies",
    [
        (b"",),
        (b"421 4.7.0 too many connections\r\n",),
        (b"+OK POP3\r\n",),
        (b"2200 many\r\n",),
        (b"220-" + b"x" * 70 + b"\r\n",),
        (b"x" * (REPLY_OCTETS_MAX + 4097),),
        (GREETING, b"500 5.5.1 unknown\r\n"),
        (GREETING, LHLO, b"501 5.1.7 not a sender\r\n250 2.1.5 ok\r\n"),
        (GREETING, LHLO, b"250 2.1.0 ok\r\n"),
        (GREETING, LHLO, BEGUN, b""),
        (GREETING, LHLO, BEGUN, b"250 2.1"),
    ],
)
def test_a_service_that_breaks_off_or_talks_nonsense_has_decided_nothing(
    tmp_path: Path, replies: tuple[bytes, ...]
) -> None:
    with serving(tmp_path, scripted(*replies)) as place, pytest.raises(HandOverError):
        handed_over(place, b"body\n")


def test_where_no_socket_is_nobody_is(tmp_path: Path) -> None:
    with pytest.raises(NobodyThereError):
        handed_over(LmtpSocket(os.fsencode(tmp_path / "lmtp"), os.geteuid()), b"")


def test_where_nobody_listens_any_more_nobody_is(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "lmtp"))
    with pytest.raises(NobodyThereError):
        handed_over(LmtpSocket(os.fsencode(tmp_path / "lmtp"), os.geteuid()), b"")


def test_a_service_with_too_many_waiting_connections_is_asked_again_later(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket(socket.AF_UNIX))
        listening.bind(str(tmp_path / "lmtp"))
        listening.listen(0)
        waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
        waiting.connect(str(tmp_path / "lmtp"))
        with pytest.raises(HandOverError):
            handed_over(LmtpSocket(os.fsencode(tmp_path / "lmtp"), os.geteuid()), b"")


def test_a_socket_that_somebody_else_listens_on_is_not_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmtp_client, "_uid_of_listener", lambda _: 4711)
    with lmtp_service(tmp_path) as (place, delivered):
        with pytest.raises(NobodyThereError):
            handed_over(place, b"")
        assert handed_over(LmtpSocket(place.path, 4711), b"").good
    assert len(delivered.mail) == 1
