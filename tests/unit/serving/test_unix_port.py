"""Tests of ``serving.unix_port``."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol

from serving.unix_port import InheritedUnixPort


class Greeting(Protocol):
    def connectionMade(self) -> None:  # noqa: N802
        assert self.transport is not None
        self.transport.write(b"hello")
        self.transport.loseConnection()


class Heard(Protocol):
    def __init__(self) -> None:
        self.heard: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        self.heard.callback(data)


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_an_inherited_socket_is_served_and_its_path_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        path.chmod(0o620)
        listening.listen()
        listening.setblocking(False)
        port = InheritedUnixPort.adopted(listening, Factory.forProtocol(Greeting), reactor)
        client = Heard()
        await connectProtocol(UNIXClientEndpoint(reactor, str(path)), client)  # type: ignore[no-untyped-call]
        assert await client.heard == b"hello"
        await maybeDeferred(port.stopListening)
        assert path.is_socket()
        assert stat.S_IMODE(path.stat().st_mode) == 0o620
