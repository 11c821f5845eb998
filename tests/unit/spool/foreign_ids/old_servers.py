"""An old server whose answers are all known before, on the other end of a socket pair: no port, no thread."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from typing import cast

import pytest

from spool.foreign_ids.old_server import OldServer, Security


class Scripted:
    """Answers in their order, whatever is asked. ``after_tls`` are sent once TLS has been started."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, answers: Sequence[bytes], after_tls: Sequence[bytes] = ()
    ) -> None:
        ours, self._theirs = socket.socketpair()
        self._theirs.sendall(b"".join(answers))
        self._after_tls = b"".join(after_tls)
        self.connected_to: tuple[str, int] | None = None
        self.names: list[str] = []

        def connect(address: tuple[str, int], seconds: float) -> socket.socket:
            self.connected_to = address
            ours.settimeout(seconds)
            return ours

        monkeypatch.setattr(socket, "create_connection", connect)

    def server(self, security: Security = "none", *, answer_seconds: float = 10.0) -> OldServer:
        """Where it is; certificates are believed."""
        context = cast("ssl.SSLContext", _Context(self._started_tls))
        return OldServer("old.example.org", 110, security, context, answer_seconds)

    def end(self) -> None:
        """Say nothing more."""
        self._theirs.shutdown(socket.SHUT_WR)

    def asked(self) -> list[bytes]:
        """All commands it was sent; the connection has to be closed."""
        octets = b""
        while piece := self._theirs.recv(65536):
            octets += piece
        self._theirs.close()
        return octets.split(b"\r\n")[:-1]

    def _started_tls(self, name: str) -> None:
        self.names.append(name)
        self._theirs.sendall(self._after_tls)


class _Context:
    def __init__(self, started: Callable[[str], None]) -> None:
        self._started = started

    def wrap_socket(self, wrapped: socket.socket, *, server_hostname: str) -> socket.socket:
        self._started(server_hostname)
        return wrapped


LOGGED_IN = (b"+OK hello\r\n", b"+OK\r\n", b"+OK\r\n")
