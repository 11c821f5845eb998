"""A POP3 client that looks at a maildrop and leaves it as it is: LIST, UIDL and ``TOP n 0``, never RETR or DELE.

It trusts no answer: each line, each header, and the number of messages is bounded, and so is the time that one answer
may take. Not ``poplib``, which holds lines to 2,048 octets and would fail on headers that real mail has.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, NamedTuple, Self, TypeAlias

from spool.errors import ForeignIdsError
from spool.foreign_ids.header import HEADER_OCTETS_MAX
from spool.mbox.headers import end_of_header

Security: TypeAlias = Literal["tls", "stls", "none"]

ANSWER_SECONDS: Final = 60.0
MESSAGES_MAX: Final = 1_000_000
ANSWER_OCTETS_MAX: Final = 100 * MESSAGES_MAX  # a line of UIDL: a number, an id of 70 octets, line end
PORTS: Final = {"tls": 995, "stls": 110, "none": 110}

_READ_OCTETS: Final = 64 * 1024
_LISTED: Final = re.compile(rb"^([0-9]{1,7}) +([!-~]{1,200}) *$", re.MULTILINE)


class Login(NamedTuple):
    """What to log in with."""

    name: str
    password: str

    def __repr__(self) -> str:
        return f"Login(name={self.name!r})"


@dataclass(frozen=True, slots=True)
class OldServer:
    """Where the old server is, and how it is spoken to.

    Attributes:
        host: its name, which its certificate must have, or its address.
        port: of POP3, or of POP3S with ``tls``.
        security: ``tls`` from the first octet, ``stls`` by the STLS command, or ``none``.
        context: what certificates are believed.
        answer_seconds: how long one answer may take.
    """

    host: str
    port: int
    security: Security
    context: ssl.SSLContext
    answer_seconds: float = ANSWER_SECONDS

    def session(self, login: Login) -> Session:
        """Log in.

        Raises:
            ForeignIdsError: it cannot be reached, is not believed, or refuses.
        """
        return Session(self, login)


class Session:
    """A session with the old server, from login to QUIT; a context manager.

    All methods raise ``ForeignIdsError`` when the server refuses, does not answer in time, or answers what is none.
    """

    def __init__(self, server: OldServer, login: Login) -> None:
        self._server = server
        self._buffer = bytearray()
        with self._named():
            self._socket = socket.create_connection((server.host, server.port), server.answer_seconds)
        try:
            self._begin(login)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Nothing is marked for deletion, so an end without QUIT would leave the same; QUIT frees the maildrop at once.
        if error is None:
            with contextlib.suppress(ForeignIdsError):
                self._ask(b"QUIT")
        self._socket.close()

    def sizes(self) -> dict[int, int]:
        """Return the size of each message by its number."""
        return {number: int(word) for number, word in self._listed(b"LIST").items() if word.isdigit()}

    def unique_ids(self) -> dict[int, str]:
        """Return the unique-id of each message by its number."""
        return {number: word.decode("ascii") for number, word in self._listed(b"UIDL").items()}

    def header(self, number: int) -> bytes | None:
        """Return the header of a message; None if it is too long. Servers that send bodies with it are borne with."""
        answer = self._multi_line(b"TOP %d 0" % number, HEADER_OCTETS_MAX)
        if answer is None:
            return None
        end = end_of_header(answer)
        return answer if end is None else answer[: end[0]]

    def _begin(self, login: Login) -> None:
        server = self._server
        if server.security == "tls":
            self._start_tls()
        self._expect_ok(self._line(), "greeting")
        if server.security == "stls":
            self._ask(b"STLS")
            if self._buffer:
                raise self._error("sent something between STLS and TLS")  # an attacker's, RFC 2595 section 4
            self._start_tls()
        for keyword, argument in (("USER", login.name), ("PASS", login.password)):
            octets = argument.encode("utf-8", "surrogateescape")
            if not argument or re.search(rb"[\0\r\n]", octets):
                raise self._error(f"{keyword}: the argument cannot be sent")
            self._ask(keyword.encode() + b" " + octets)

    def _start_tls(self) -> None:
        with self._named():
            self._socket = self._server.context.wrap_socket(self._socket, server_hostname=self._server.host)

    def _listed(self, command: bytes) -> dict[int, bytes]:
        answer = self._multi_line(command, ANSWER_OCTETS_MAX)
        listed = {int(number): word for number, word in _LISTED.findall((answer or b"").replace(b"\r\n", b"\n"))}
        if answer is None or len(listed) > MESSAGES_MAX:
            raise self._error(f"{command.decode()}: the answer is too long")
        return listed

    def _ask(self, command: bytes) -> None:
        self._send(command)
        self._expect_ok(self._line(), command.split()[0].decode())

    def _multi_line(self, command: bytes, octets_max: int) -> bytes | None:
        """Ask for a multi-line answer; None, with all of it read, if it has more than ``octets_max`` octets."""
        self._ask(command)
        deadline = time.monotonic() + self._server.answer_seconds
        lines, octets = [], 0
        while (line := self._line(deadline)) != b".\r\n":
            octets += len(line)
            if octets > 2 * ANSWER_OCTETS_MAX:
                raise self._error(f"{command.decode()}: the answer does not end")
            if octets <= octets_max:
                lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines) if octets <= octets_max else None

    def _send(self, command: bytes) -> None:
        with self._named():
            self._socket.sendall(command + b"\r\n")

    def _line(self, deadline: float | None = None) -> bytes:
        """Return the next line with its line end."""
        deadline = deadline or time.monotonic() + self._server.answer_seconds
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > ANSWER_OCTETS_MAX:
                raise self._error("sent a line without end")
            with self._named():
                self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
                piece = self._socket.recv(_READ_OCTETS)
            if not piece:
                raise self._error("ended the connection")
            self._buffer += piece
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        return line

    def _expect_ok(self, line: bytes, what: str) -> None:
        if not line.startswith(b"+OK"):
            # What the server says may repeat what it was sent, and so the password.
            text = "" if what == "PASS" else ": " + line[:200].decode("ascii", "backslashreplace").strip()
            raise self._error(f"{what} was refused{text}")

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError; a host that IDNA refuses a ValueError
            raise self._error(str(error) or type(error).__name__) from error

    def _error(self, text: str) -> ForeignIdsError:
        return ForeignIdsError(f"{self._server.host}:{self._server.port}: {text}")
