"""Services that a message can be handed over to, each in a thread of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from delivery.lmtp_socket import LmtpSocket
from mta.smtp.replies import DELIVERED, Reply
from mta.smtp.session import Session
from mta.smtp.steps import CheckRecipient, Close, Content, Deliver, Envelope, Send, SessionPolicy

POLICY = SessionPolicy(
    host_name="mail.example.org",
    tls_available=False,
    tls_active=False,
    message_octets_max=1 << 30,
    recipients_max=100,
    refuse_bare_line_ends=False,
)


@dataclass
class Delivered:
    """What a service took: envelopes and messages in stored form."""

    mail: list[tuple[Envelope, bytes]] = field(default_factory=list)


@contextlib.contextmanager
def serving(directory: Path, answer: Callable[[socket.socket], None]) -> Iterator[LmtpSocket]:
    """Answer each connection in turn by a function, which closes it by returning."""
    path = directory / "lmtp"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()

    def run() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                answer(connection)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield LmtpSocket(os.fsencode(path), os.geteuid())
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
        listening.close()
        path.unlink()


@contextlib.contextmanager
def lmtp_service(directory: Path, *, refusal: Reply | None = None) -> Iterator[tuple[LmtpSocket, Delivered]]:
    """Speak LMTP as our service does, and take everything, or refuse each recipient."""
    delivered = Delivered()
    with serving(directory, lambda connection: _converse(connection, delivered, refusal)) as place:
        yield place, delivered


def _converse(connection: socket.socket, delivered: Delivered, refusal: Reply | None) -> None:
    session = Session(POLICY)
    content: list[bytes] = []
    steps = list(session.greet())
    while True:
        while steps:
            match steps.pop(0):
                case Send(octets):
                    connection.sendall(octets)
                case CheckRecipient():
                    steps += session.recipient_checked(refusal)
                case Content(octets):
                    content.append(octets)
                case Deliver(envelope):
                    delivered.mail.append((envelope, b"".join(content)))
                    content = []
                    steps += session.decided(0, DELIVERED)
                case Close():
                    return
                case _:
                    pass
        octets = connection.recv(65536)
        if not octets:
            return
        steps += session.receive(octets)


def scripted(*replies: bytes) -> Callable[[socket.socket], None]:
    """Say one thing at once and another after each piece that comes, then close."""

    def answer(connection: socket.socket) -> None:
        first, *others = replies
        connection.sendall(first)
        for reply in others:
            connection.recv(65536)
            connection.sendall(reply)

    return answer
