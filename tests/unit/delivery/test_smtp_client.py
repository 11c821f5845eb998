"""Tests of ``delivery.smtp_client``, with a server that does what no server should."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.smtp_client import ConversationError, Reply, SmtpConnection
from spool.errors import EnhancedStatus
from tests.unit.delivery.smtp_server import FakeServer, smtp_server, write_certificate

AMPLE_SECONDS = 60.0


@contextlib.contextmanager
def connected(server: FakeServer, seconds: float = AMPLE_SECONDS) -> Iterator[SmtpConnection]:
    connection = SmtpConnection("127.0.0.1", server.port, end_at=time.monotonic() + seconds)
    with contextlib.closing(connection):
        yield connection


def greeting(octets: bytes) -> Reply:
    with smtp_server({b"": octets}) as server, connected(server) as connection:
        return connection.reply()


def test_a_reply_has_a_code_and_lines() -> None:
    assert greeting(b"220-one\r\n220-\r\n220 three\r\n") == Reply(220, ("one", "", "three"))
    assert greeting(b"220\r\n") == Reply(220, ("",))
    assert greeting(b"220 lf alone\n") == Reply(220, ("lf alone",))


@pytest.mark.parametrize(
    ("octets", "trouble"),
    [
        (b"hello\r\n", "is no reply"),
        (b"2200 x\r\n", "is no reply"),
        (b"120 x\r\n", "is no reply"),
        (b"220-x\r\n" * 200, "a reply does not end"),
        (b"220 " + b"x" * 10_000, "a line of a reply does not end"),
        (b"", "ended the connection"),
    ],
)
def test_what_is_no_reply_ends_the_conversation(octets: bytes, trouble: str) -> None:
    with pytest.raises(ConversationError, match=trouble):
        greeting(octets)


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (Reply(550, ("5.1.1 no such user",)), EnhancedStatus(5, 1, 1)),
        (Reply(450, ("4.2.0",)), EnhancedStatus(4, 2, 0)),
        (Reply(450, ("5.1.1 of another class",)), None),
        (Reply(550, ("no such user",)), None),
        (Reply(550, ("5.1.1234 too long",)), None),
    ],
)
def test_a_status_is_believed_if_it_is_of_the_replys_class(reply: Reply, status: EnhancedStatus | None) -> None:
    assert reply.status == status


def test_what_a_server_says_is_one_short_line_in_the_log() -> None:
    text = str(Reply(550, ("first", "no\x1b[31m\r" + "x" * 1000)))
    assert text.startswith("550 no?[31m?xxx")
    assert len(text) == 204


@pytest.mark.parametrize("at_once", [True, False])
def test_commands_have_their_replies_in_order(at_once: bool) -> None:
    with smtp_server({b"TWO": b"550 no\r\n"}) as server, connected(server) as connection:
        connection.reply()
        replies = connection.ask_all([b"ONE", b"TWO", b"THREE"], at_once=at_once)
    assert [reply.code for reply in replies] == [250, 550, 250]
    assert server.commands == [b"ONE", b"TWO", b"THREE"]


def test_a_silent_server_is_waited_for_until_the_time_is_over() -> None:
    with smtp_server({b"": b"220-"}) as server, connected(server, 0.05) as connection:
        with pytest.raises(TimeoutError):
            connection.reply()
        with pytest.raises(TimeoutError):
            connection.ask(b"NOOP")


def test_the_time_can_be_made_shorter_and_not_longer() -> None:
    with smtp_server() as server, connected(server) as connection:
        connection.hurry(0)
        connection.hurry(60)
        with pytest.raises(TimeoutError):
            connection.ask(b"NOOP")


def test_nothing_is_believed_that_came_before_the_handshake(tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path)
    reply = b"220 go on\r\n250 AUTH PLAIN\r\n"
    with smtp_server({b"NOOP": reply}, certificate=certificate) as server, connected(server) as connection:
        connection.reply()
        connection.ask(b"NOOP")
        with pytest.raises(ConversationError, match="before the handshake"):
            connection.start_tls(str(certificate))


def test_all_addresses_of_a_host_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()
    with smtp_server() as server:
        places = [nobody, ("127.0.0.1", server.port)]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", place) for place in places]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_options: found)
        with connected(server) as connection:
            assert connection.reply().code == 220
        found.pop()
        with pytest.raises(ConnectionRefusedError), connected(server):
            pass


@pytest.mark.parametrize(
    ("host_name", "address", "said"),
    [
        ("mx.example.org", "127.0.0.1", "mx.example.org"),
        ("mx", "127.0.0.1", "[127.0.0.1]"),
        ("mx", "::1", "[IPv6:::1]"),
    ],
)
def test_a_host_without_a_full_name_gives_its_address(
    monkeypatch: pytest.MonkeyPatch, host_name: str, address: str, said: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: host_name)
    with smtp_server() as server, connected(server) as connection:
        monkeypatch.setattr(socket.socket, "getsockname", lambda _socket: (address, 1))
        assert connection.own_name() == said
