"""A small LMTP client: one message to many recipients over several connections."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor


class DirectMail:
    """A message being sent. Recipients are dealt out to the connections; each sends one transaction."""

    def __init__(self, port: int, connections: int, addresses: Sequence[str], message: bytes) -> None:
        self._replies: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
        self._pool = ThreadPoolExecutor(connections)
        content = message.replace(b"\n", b"\r\n") + b".\r\n"
        self._work: list[Future[None]] = [
            self._pool.submit(self._send, connection, addresses[number::connections], content)
            for number, connection in enumerate(self._sockets)
        ]

    def wait(self, seconds: float) -> Mapping[str, bytes]:
        """Wait until each recipient has a reply: to RCPT if that was refused, else to the message."""
        for each in self._work:
            each.result(seconds)
        return dict(self._replies)

    def abandon(self) -> None:
        """Drop the connections, whatever was not answered."""
        for connection in self._sockets:
            connection.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _send(self, connection: socket.socket, addresses: Sequence[str], content: bytes) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection.makefile("rb") as answers:
            answers.readline()
            commands = [b"LHLO bench.example", b"MAIL FROM:<list@example.org>"]
            commands += [b"RCPT TO:<%s>" % address.encode() for address in addresses]
            connection.sendall(b"".join(command + b"\r\n" for command in (*commands, b"DATA")))
            for _ in range(2):
                _reply(answers.readline)
            accepted = []
            for address in addresses:
                reply = _reply(answers.readline)
                if reply.startswith(b"250"):
                    accepted.append(address)
                else:
                    self._note(address, reply)
            if not _reply(answers.readline).startswith(b"354"):
                return
            connection.sendall(content)
            for address in accepted:
                self._note(address, _reply(answers.readline))

    def _note(self, address: str, reply: bytes) -> None:
        with self._lock:
            self._replies[address] = reply


def _reply(readline: object) -> bytes:
    while True:
        line: bytes = readline()  # type: ignore[operator]
        if line[3:4] != b"-":
            return line
