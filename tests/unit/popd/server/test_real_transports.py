"""The protocol on real TCP and TLS transports over loopback, where push-back, STLS and closing are Twisted's."""

from __future__ import annotations

import dataclasses
import poplib
import socket
import ssl
from collections.abc import Iterator
from typing import Any, cast

import pytest
from twisted.internet import reactor as global_reactor
from twisted.internet.ssl import CertificateOptions
from twisted.internet.threads import deferToThread
from twisted.protocols.tls import TLSMemoryBIOFactory

from accounts.requests import Offer, SaslBegin
from popd.server.factory import Pop3Factory
from tests.unit.popd.server.certificates import make_identity
from tests.unit.popd.server.fakes import FRED, Client, in_reactor

reactor = cast("Any", global_reactor)
SECONDS = 10
LONG = b"Subject: long\r\n\r\n" + b".0123456789abcd\r\n" * 50_000
SHORT = b"Subject: short\r\n\r\n.body\r\n"


class EverybodyIsAdmitted:
    def connected(self, address: str) -> bool:
        return True

    def disconnected(self, address: str) -> None:
        """Nothing was counted."""


class Server:
    """A listening POP3 server with fakes behind it."""

    def __init__(self) -> None:
        self.behind = Client(SHORT, LONG)
        self.behind.authenticator.offer = Offer(("PLAIN",), apop=False)
        self.behind.authenticator.answers.append(FRED)
        identity = make_identity("localhost")
        # Twisted asks for pyOpenSSL's types, which pyOpenSSL has given up for these.
        self._tls = CertificateOptions(cast("Any", identity.key), cast("Any", identity.certificate))
        self._ports: list[Any] = []

    def listen(self, *, implicit_tls: bool = False) -> int:
        factory: Any = Pop3Factory(
            dataclasses.replace(self.behind.service, tls=self._tls, clock=reactor),
            admission=EverybodyIsAdmitted(),
            cleartext="always",
            implicit_tls=implicit_tls,
            client_certificates=False,
            host_name="localhost",
            random_octets=bytes,
            epoch_seconds=lambda: 0.0,
        )
        if implicit_tls:
            factory = TLSMemoryBIOFactory(self._tls, isClient=False, wrappedFactory=factory)
        self._ports.append(reactor.listenTCP(0, factory, interface="127.0.0.1"))
        port: int = self._ports[-1].getHost().port
        return port

    def close(self) -> None:
        for port in self._ports:
            port.stopListening()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def trusting_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def read_all(client: poplib.POP3) -> tuple[bytes, bytes]:
    client.user("fred")
    client.pass_("secret")
    first, second = (b"\r\n".join(client.retr(number)[1]) + b"\r\n" for number in (1, 2))
    client.dele(1)
    client.quit()
    return first, second


def over_tcp(port: int) -> tuple[bytes, bytes]:
    return read_all(poplib.POP3("127.0.0.1", port, timeout=SECONDS))


def over_stls(port: int) -> tuple[bytes, bytes]:
    client = poplib.POP3("127.0.0.1", port, timeout=SECONDS)
    client.stls(trusting_context())
    return read_all(client)


def over_tls(port: int) -> tuple[bytes, bytes]:
    return read_all(poplib.POP3_SSL("127.0.0.1", port, timeout=SECONDS, context=trusting_context()))


@pytest.mark.parametrize("read", [over_tcp, over_stls, over_tls])
@in_reactor
async def test_messages_arrive_whole_and_quit_commits(server: Server, read: Any) -> None:
    port = server.listen(implicit_tls=read is over_tls)
    assert await deferToThread(read, port) == (SHORT, LONG)
    assert server.behind.maildrop.committed == ({1}, {1, 2})
    assert server.behind.authenticator.asked[0].peer.tls is (read is not over_tcp)


def converse(port: int, *pieces: bytes) -> bytes:
    """Send pieces, each after an answer to the one before, and read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        heard = connection.recv(1000)
        for piece in pieces:
            connection.sendall(piece)
            heard += connection.recv(1000)
        while more := receive(connection):
            heard += more
        return heard


def receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1000)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("pieces", [(b"STLS\r\nCAPA\r\n",), (b"STLS\r\n", b"CAPA\r\nCAPA\r\n")])
@in_reactor
async def test_commands_in_the_clear_after_stls_end_the_connection(server: Server, pieces: tuple[bytes, ...]) -> None:
    heard = await deferToThread(converse, server.listen(), *pieces)
    assert b"capabilities" not in heard
    assert heard.count(b"+OK") == 2


@in_reactor
async def test_a_handshake_on_a_socket_gives_a_channel_binding(server: Server) -> None:
    def log_in(port: int) -> None:
        client = poplib.POP3_SSL("127.0.0.1", port, timeout=SECONDS, context=trusting_context())
        client._shortcmd("AUTH PLAIN AGZyZWQAc2VjcmV0")  # type: ignore[attr-defined]
        client.quit()

    await deferToThread(log_in, server.listen(implicit_tls=True))
    begin = server.behind.authenticator.asked[0]
    assert isinstance(begin, SaslBegin)
    assert begin.binding.tls_exporter is not None
    assert begin.binding.tls_server_end_point is not None


@in_reactor
async def test_a_peer_that_does_not_read_stops_the_stream(server: Server) -> None:
    def fill(port: int) -> int:
        with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
            connection.sendall(b"USER fred\r\nPASS secret\r\n" + b"RETR 2\r\n" * 1000)
            heard = 0
            while heard < 3 * len(LONG):
                heard += len(connection.recv(65536))
            return len(server.behind.maildrop.streams)

    # What the kernel's buffers take is not under our control, but it is far from a thousand messages.
    assert await deferToThread(fill, server.listen()) < 200
