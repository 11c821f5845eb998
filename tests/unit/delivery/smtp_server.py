"""An SMTP server for tests: it writes down what it is told, and says what the test wants."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.unit.popd.server.certificates import make_identity

EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "AUTH LOGIN PLAIN")


class FakeServer:
    """Serves one connection after the other on a port of 127.0.0.1.

    Args:
        replies: what is said to commands that begin with a key, instead of yes; the greeting is to the empty command,
            the reply to a message to a dot. Of a list each time the next. Nothing at all ends the connection.
        extensions: what EHLO announces.
        certificate: PEM file with a certificate and its key; with it there is STARTTLS.
        implicit: whether TLS begins at once.
    """

    def __init__(
        self,
        replies: Mapping[bytes, bytes | list[bytes]],
        extensions: Sequence[str] = EXTENSIONS,
        *,
        certificate: Path | None = None,
        implicit: bool = False,
    ) -> None:
        self._replies = dict(replies)
        self._extensions = extensions
        self._certificate = certificate
        self._implicit = implicit
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.commands: list[bytes] = []
        self.messages: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop once the connections that were begun are over."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # no longer listening
            while True:
                connection, _ = self._listening.accept()
                with contextlib.suppress(OSError):  # the client had enough
                    self._talk(self._tls(connection) if self._implicit else connection, b"")

    def _tls(self, connection: socket.socket) -> socket.socket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        assert self._certificate is not None
        context.load_cert_chain(self._certificate)
        return context.wrap_socket(connection, server_side=True)

    def _talk(self, connection: socket.socket, command: bytes | None) -> None:
        """Talk until somebody has enough; begins with the reply to a command."""
        with connection, connection.makefile("rb") as lines:
            while True:
                if command is not None:
                    reply = self._reply(command)
                    connection.sendall(reply)
                    if not reply:
                        return
                    if command == b"STARTTLS" and reply.startswith(b"220"):
                        self._talk(self._tls(connection), None)
                        return
                    if command == b"DATA" and reply.startswith(b"354"):
                        self.messages.append(_until_dot(lines))
                        command = b"."
                        continue
                line = lines.readline()
                if not line.endswith(b"\r\n"):
                    return
                command = line.removesuffix(b"\r\n")
                self.commands.append(command)

    def _reply(self, command: bytes) -> bytes:
        for beginning, reply in self._replies.items():
            if command == beginning or (beginning and command.startswith(beginning)):
                return (reply.pop(0) if reply else _YES) if isinstance(reply, list) else reply
        match command[:4]:
            case b"":
                return b"220 ready\r\n"
            case b"EHLO":
                offered = [*self._extensions, *(["STARTTLS"] if self._certificate else [])]
                lines = ["mail.example", *offered]
                marks = ["-"] * (len(lines) - 1) + [" "]
                return "".join(f"250{mark}{line}\r\n" for mark, line in zip(marks, lines, strict=True)).encode()
            case b"STAR":
                return b"220 go on\r\n"
            case b"AUTH":
                return b"235 2.7.0 welcome\r\n"
            case b"DATA":
                return b"354 go on\r\n"
            case _:
                return _YES


_YES = b"250 2.0.0 yes\r\n"


def _until_dot(lines: BinaryIO) -> bytes:
    """Read a message as it comes, with the line of the dot if it comes."""
    message = b""
    while line := lines.readline():
        message += line
        if line == b".\r\n" and (message == line or message.endswith(b"\r\n.\r\n")):
            break
    return message


def write_certificate(directory: Path) -> Path:
    """Write a certificate of localhost and 127.0.0.1, which is its own authority, and its key into one file."""
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    identity = make_identity("localhost", names)
    file = directory / "certificate.pem"
    file.write_bytes(
        identity.certificate.public_bytes(Encoding.PEM)
        + identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return file


@contextlib.contextmanager
def smtp_server(
    replies: Mapping[bytes, bytes | list[bytes]] | None = None,
    extensions: Sequence[str] = EXTENSIONS,
    *,
    certificate: Path | None = None,
    implicit: bool = False,
) -> Iterator[FakeServer]:
    """Run a server; what its arguments mean ``FakeServer`` says."""
    server = FakeServer(replies or {}, extensions, certificate=certificate, implicit=implicit)
    server.start()
    try:
        yield server
    finally:
        server.stop()
