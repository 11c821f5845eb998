"""The client's side of one SMTP connection (RFC 5321): blocking, and over by a given time whatever the server does."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from spool.errors import EnhancedStatus

REPLY_LINE_OCTETS_MAX: Final = 2048  # RFC 5321 section 4.5.3.1.5 has 512; some servers write more
REPLY_LINES_MAX: Final = 100
_REPLY_LINE: Final = re.compile(rb"([2-5][0-9]{2})(?:([- ])(.*))?", re.DOTALL)
_ENHANCED: Final = re.compile(r"([245])\.([0-9]{1,3})\.([0-9]{1,3})(?: |$)")
_TEXT_MAX: Final = 200  # of what a server said, in our log


class ConversationError(Exception):
    """The server ended the conversation, or what it said is no SMTP."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of one or more lines: its code, and what stands behind the code in each."""

    code: int
    lines: tuple[str, ...]

    @property
    def status(self) -> EnhancedStatus | None:
        """The enhanced status code it begins with, if that is of the code's own class (RFC 2034 section 4)."""
        found = _ENHANCED.match(self.lines[-1])
        if found is None or int(found[1]) != self.code // 100:
            return None
        return EnhancedStatus(*map(int, found.groups()))

    def __str__(self) -> str:
        text = "".join(character if character.isprintable() else "?" for character in self.lines[-1])
        return f"{self.code} {text[:_TEXT_MAX]}"


class SmtpConnection:
    """A connection to a server.

    Every method raises ``OSError`` (``TimeoutError`` once the time is over) and ``ConversationError``.

    Args:
        host: a name or an address. Names are looked up by the system's resolver, whose own time limits hold.
        port: the port.
        end_at: until when everything has to be over, on the monotonic clock.
    """

    def __init__(self, host: str, port: int, *, end_at: float) -> None:
        # As octets: for text Python would load its idna codec, which a process that has become a user may not find.
        self._host = host.encode("ascii")
        self._end_at = end_at
        self._received = b""
        self._socket = self._connected(port)

    def close(self) -> None:
        """Close it, without a word."""
        self._socket.close()

    def hurry(self, seconds: float) -> None:
        """Let everything be over after so many seconds, if it would not be earlier."""
        self._end_at = min(self._end_at, time.monotonic() + seconds)

    def start_tls(self, authorities: str | None) -> None:
        """Speak TLS from now on, with a certificate of the host by one of the authorities.

        Args:
            authorities: path of a PEM file; None for those of the system.
        """
        if self._received:
            # RFC 3207 section 6: what came before the handshake may be anybody's.
            raise ConversationError("the server went on talking before the handshake")
        context = ssl.create_default_context(cafile=authorities)
        self._socket.settimeout(self._seconds_left())
        self._socket = context.wrap_socket(self._socket, server_hostname=self._host)

    def own_name(self) -> str:
        """What to call ourselves: the host's full name, else its address on this connection (section 4.1.4)."""
        name = socket.gethostname()
        if "." in name:
            return name
        address = self._socket.getsockname()[0]
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    def ask(self, command: bytes) -> Reply:
        """Send one command; return its reply."""
        self.send([command + b"\r\n"])
        return self.reply()

    def ask_all(self, commands: Sequence[bytes], *, at_once: bool) -> list[Reply]:
        """Send commands and return their replies; ``at_once`` sends them in one go (RFC 2920)."""
        if not at_once:
            return [self.ask(command) for command in commands]
        self.send([b"".join(command + b"\r\n" for command in commands)])
        return [self.reply() for _ in commands]

    def send(self, pieces: Iterable[bytes]) -> None:
        """Send octets as they are."""
        for piece in pieces:
            self._socket.settimeout(self._seconds_left())
            self._socket.sendall(piece)

    def reply(self) -> Reply:
        """Wait for the next reply."""
        texts: list[str] = []
        while len(texts) < REPLY_LINES_MAX:
            found = _REPLY_LINE.fullmatch(self._line())
            if found is None:
                raise ConversationError("what the server said is no reply")
            code, more, text = found.groups()
            texts.append((text or b"").decode("utf-8", "replace"))
            if more != b"-":
                return Reply(int(code), tuple(texts))
        raise ConversationError("a reply does not end")

    def _line(self) -> bytes:
        while b"\n" not in self._received:
            if len(self._received) > REPLY_LINE_OCTETS_MAX:
                raise ConversationError("a line of a reply does not end")
            self._socket.settimeout(self._seconds_left())
            octets = self._socket.recv(4096)
            if not octets:
                raise ConversationError("the server ended the connection")
            self._received += octets
        line, _, self._received = self._received.partition(b"\n")
        return line.removesuffix(b"\r")

    def _connected(self, port: int) -> socket.socket:
        places = socket.getaddrinfo(self._host, port, type=socket.SOCK_STREAM)
        trouble = OSError("the host has no address")
        for number, (family, kind, protocol, _, address) in enumerate(places):
            connecting = socket.socket(family, kind, protocol)
            try:
                # An address that never answers leaves the others their share of the time.
                connecting.settimeout(self._seconds_left() / (len(places) - number))
                connecting.connect(address)
            except OSError as error:
                connecting.close()
                trouble = error
            else:
                return connecting
        raise trouble

    def _seconds_left(self) -> float:
        left = self._end_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is over")
        return left
