"""A POP3 connection that shows every octet, for tests of what real clients hide or never do."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from tests.interop.live_site import PASSWORD

ANSWER_SECONDS: Final = 30.0


class ConnectionEndedError(Exception):
    """The server closed the connection in the middle of an answer."""


@dataclass(frozen=True)
class Seen:
    """What one session saw of a maildrop: LIST, UIDL and every message in wire form, by message number less 1."""

    sizes: Sequence[int]
    unique_ids: Sequence[str]
    messages: Sequence[bytes]


class Wire:
    """One connection; reads the greeting at once."""

    def __init__(
        self, address: tuple[str, int], *, source: tuple[str, int] | None = None, seconds: float = ANSWER_SECONDS
    ) -> None:
        self.socket: socket.socket = socket.create_connection(address, seconds, source)
        self._pending = bytearray()
        self.greeting = self.line()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.socket.close()

    def close(self) -> None:
        """Vanish without QUIT."""
        self.socket.close()

    def send(self, octets: bytes) -> None:
        """Send as it is."""
        self.socket.sendall(octets)

    def line(self) -> bytes:
        """The next line, without its CRLF."""
        while (end := self._pending.find(b"\r\n")) < 0:
            self._receive()
        line = bytes(self._pending[:end])
        del self._pending[: end + 2]
        return line

    def ended(self) -> bool:
        """Read on to the end; whether the server closed, rather than going silent."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        return True

    def ask(self, command: str | bytes) -> bytes:
        """Send a command; the first line of its answer."""
        self.send((command if isinstance(command, bytes) else command.encode()) + b"\r\n")
        return self.line()

    def ok(self, command: str | bytes) -> bytes:
        """Send a command that has to succeed; the first line of its answer."""
        answer = self.ask(command)
        assert answer.startswith(b"+OK"), f"{command!r}: {answer!r}"
        return answer

    def many(self, command: str | bytes) -> bytes:
        """Send a command with a multi-line answer; its octets, without dot-stuffing and end."""
        self.ok(command)
        return self.rest()

    def rest(self) -> bytes:
        """What follows the first line of a multi-line answer."""
        while not (self._pending.startswith(b".\r\n") or (end := self._pending.find(b"\r\n.\r\n")) >= 0):
            self._receive()
        if self._pending.startswith(b".\r\n"):
            del self._pending[:3]
            return b""
        body = bytes(self._pending[: end + 2])
        del self._pending[: end + 5]
        return (b"\n" + body).replace(b"\n.", b"\n")[1:]

    def login(self, user: str, password: str = PASSWORD) -> bytes:
        """USER and PASS; the answer to PASS."""
        self.ok(f"USER {user}")
        return self.ask(f"PASS {password}")

    def look(self) -> Seen:
        """Read everything of the maildrop that is open."""
        sizes = [int(line.split()[1]) for line in self.many("LIST").splitlines()]
        unique_ids = [line.split()[1].decode() for line in self.many("UIDL").splitlines()]
        return Seen(sizes, unique_ids, [self.many(f"RETR {number + 1}") for number in range(len(sizes))])

    def start_tls(self, context: ssl.SSLContext, name: str = "localhost") -> None:
        """Begin the TLS handshake."""
        self.socket = context.wrap_socket(self.socket, server_hostname=name)

    def _receive(self) -> None:
        piece = self.socket.recv(1 << 20)
        if not piece:
            raise ConnectionEndedError(bytes(self._pending[-200:]))
        self._pending += piece


def look_at(address: tuple[str, int], user: str, password: str = PASSWORD) -> Seen:
    """Log in, read everything, leave everything."""
    with Wire(address) as wire:
        answer = wire.login(user, password)
        assert answer.startswith(b"+OK"), answer
        seen = wire.look()
        wire.ok("QUIT")
        return seen


def plain(user: str, password: str = PASSWORD) -> str:
    """The initial response of SASL PLAIN (RFC 4616)."""
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


def fingerprint(certificate: bytes) -> str:
    """What ``sha256:`` lines of control/certificates hold, of a DER certificate."""
    return hashlib.sha256(certificate).hexdigest()
