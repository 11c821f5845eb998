"""Handing messages over to an SMTP smarthost: a server that takes mail for everybody from us, and carries it on.

A message goes in one transaction to up to ``RECIPIENTS_MAX`` recipients, and it is for all of them or for none: if one
is refused, the transaction ends before DATA. So a message that is tried again has not gone to anybody yet, and one that
is refused has not either; its sender is told. It was handed over once the reply to its last octet is 250. If that reply
does not come the smarthost may have it, and a retry makes a second copy (RFC 1047): this is the one such case, but for
messages in more than one transaction.
"""

from __future__ import annotations

import base64
import contextlib
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from delivery.errors import ForwardingDeferredError, ForwardingRefusedError
from delivery.forwarding import expanded
from delivery.messages import Message
from delivery.settings import DeliverySettings, host_and_port
from delivery.smtp_client import ConversationError, Reply, SmtpConnection
from delivery.smtp_text import data_of, path_of
from spool.errors import EnhancedStatus

RECIPIENTS_MAX: Final = 100  # RFC 5321 section 4.5.3.1.8: what every server takes in one transaction
QUIT_SECONDS: Final = 2.0  # for the server's good-bye, when all is done
_CREDENTIALS_OCTETS_MAX: Final = 4096
# Permanent, but said of us or of the smarthost, and of no message: the operator can mend it (RFC 4954, RFC 3207).
_OUR_TROUBLE: Final = frozenset({500, 502, 503, 504, 521, 523, 530, 534, 535, 538})
_NEEDS_8BIT: Final = EnhancedStatus(5, 6, 3)
_NEEDS_UTF8: Final = EnhancedStatus(5, 6, 7)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are to the smarthost."""

    user: bytes
    password: bytes = field(repr=False)


class SmarthostForwarder:
    """Hands over to a smarthost. Safe for threads.

    Args:
        settings: with ``smarthost``. The credentials are read now, while this process may still read them: later it may
            have become a recipient.
    """

    def __init__(self, settings: DeliverySettings) -> None:
        self._settings = settings
        self._host, self._port = host_and_port(settings.smarthost)
        self._credentials: Credentials | None = None
        self._no_credentials: str | None = None
        if settings.smarthost_credentials is not None:
            try:
                self._credentials = read_credentials(settings.smarthost_credentials)
            except (OSError, ValueError) as error:
                self._no_credentials = f"{settings.smarthost_credentials}: {error}"

    def check(self) -> None:
        """See ``delivery.forwarding.Forwarder``."""
        if self._no_credentials is not None:
            raise ForwardingDeferredError(self._no_credentials)

    def forward(self, message: Message, delivered_to: bytes, sender: str | None, recipients: Sequence[str]) -> None:
        """See ``delivery.forwarding.Forwarder``."""
        self.check()
        envelopes = [
            _Envelope.of(from_sender, to[first : first + RECIPIENTS_MAX])
            for from_sender, to in expanded(sender, recipients)
            for first in range(0, len(to), RECIPIENTS_MAX)
        ]
        is_8bit = not all(piece.isascii() for piece in message.with_lines(delivered_to))
        try:
            with self._session() as session:
                for envelope in envelopes:
                    session.hand_over(envelope, message.with_lines(delivered_to), is_8bit=is_8bit)
        except (OSError, ConversationError) as error:
            raise ForwardingDeferredError(f"{self._settings.smarthost}: {error}") from error

    @contextlib.contextmanager
    def _session(self) -> Iterator[_Session]:
        settings = self._settings
        end_at = time.monotonic() + settings.smarthost_seconds
        with contextlib.closing(SmtpConnection(self._host, self._port, end_at=end_at)) as connection:
            try:
                session = _Session(connection, settings.smarthost)
                session.begin(settings, self._credentials)
                yield session
            finally:
                # What was taken over is, and what was not is not, whatever they still say.
                connection.hurry(QUIT_SECONDS)
                with contextlib.suppress(OSError, ConversationError):
                    connection.ask(b"QUIT")


def read_credentials(file: Path) -> Credentials:
    """Read a user's name and a password, a line each, from a file that nobody else may read.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no such file; the text says why, and nothing of what is in it.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o007:
            raise ValueError("expected a file that others may not read")
        octets = os.read(descriptor, _CREDENTIALS_OCTETS_MAX)
    finally:
        os.close(descriptor)
    lines = octets.splitlines()
    if len(lines) != 2:
        raise ValueError("expected two lines, a user's name and a password")
    return Credentials(*lines)


@dataclass(frozen=True, slots=True)
class _Envelope:
    """One transaction's addresses, as commands have them."""

    sender: bytes
    recipients: tuple[bytes, ...]

    @classmethod
    def of(cls, sender: str | None, recipients: Sequence[str]) -> _Envelope:
        return cls(path_of(sender), tuple(map(path_of, recipients)))

    @property
    def is_utf8(self) -> bool:
        return not all(path.isascii() for path in (self.sender, *self.recipients))


class _Session:
    """What is said on one connection. Every method raises what ``SmtpConnection`` and ``Forwarder`` do."""

    def __init__(self, connection: SmtpConnection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._extensions: Mapping[str, str] = {}

    def begin(self, settings: DeliverySettings, credentials: Credentials | None) -> None:
        """Come to where mail can be handed over."""
        connection, authorities = self._connection, settings.smarthost_ca_file
        ca_file = None if authorities is None else str(authorities)
        if settings.smarthost_tls == "implicit":
            connection.start_tls(ca_file)
        self._expect(220, connection.reply())
        self._say_hello()
        if settings.smarthost_tls == "starttls":
            self._need("STARTTLS")
            self._expect(220, connection.ask(b"STARTTLS"))
            connection.start_tls(ca_file)
            self._say_hello()  # what was announced before may be anybody's (RFC 3207 section 4.2)
        if credentials is not None:
            self._need("AUTH", "PLAIN")
            response = base64.b64encode(b"\0" + credentials.user + b"\0" + credentials.password)
            self._expect(235, connection.ask(b"AUTH PLAIN " + response))

    def hand_over(self, envelope: _Envelope, pieces: Iterator[bytes], *, is_8bit: bool) -> None:
        """Hand one message over. Holds when it returns."""
        connection = self._connection
        mail = b"MAIL FROM:" + envelope.sender + self._parameters(envelope, is_8bit=is_8bit)
        commands = [mail, *(b"RCPT TO:" + path for path in envelope.recipients)]
        of_sender, *of_recipients = connection.ask_all(commands, at_once="PIPELINING" in self._extensions)
        self._judge([of_sender, *map(_with_452_for_552, of_recipients)])
        self._expect(354, connection.ask(b"DATA"), of_message=True)
        connection.send(data_of(pieces))
        self._expect(250, connection.reply(), of_message=True)

    def _say_hello(self) -> None:
        reply = self._connection.ask(b"EHLO " + self._connection.own_name().encode())
        self._expect(250, reply)
        words = (line.upper().partition(" ") for line in reply.lines[1:])
        self._extensions = {keyword: parameters for keyword, _, parameters in words}

    def _parameters(self, envelope: _Envelope, *, is_8bit: bool) -> bytes:
        parameters = b""
        if is_8bit or envelope.is_utf8:
            if "8BITMIME" not in self._extensions:
                raise ForwardingRefusedError(f"{self._name}: takes no 8-bit message", _NEEDS_8BIT)
            parameters += b" BODY=8BITMIME"
        if envelope.is_utf8:
            if "SMTPUTF8" not in self._extensions:
                raise ForwardingRefusedError(f"{self._name}: takes no address beyond ASCII", _NEEDS_UTF8)
            parameters += b" SMTPUTF8"
        return parameters

    def _need(self, extension: str, parameter: str = "") -> None:
        offered = self._extensions.get(extension)
        if offered is None or (parameter and parameter not in offered.split()):
            raise ForwardingDeferredError(f"{self._name}: does not offer {extension} {parameter}".rstrip())

    def _expect(self, code: int, reply: Reply, *, of_message: bool = False) -> None:
        if reply.code == code:
            return
        if of_message:
            self._judge([reply])
        raise ForwardingDeferredError(f"{self._name}: {reply}")

    def _judge(self, replies: Sequence[Reply]) -> None:
        """Go on only if all is well. One that is worth another try decides before those that are not."""
        refusals = [reply for reply in replies if reply.code // 100 != 2]
        for reply in refusals:
            if reply.code < 500 or reply.code in _OUR_TROUBLE:
                raise ForwardingDeferredError(f"{self._name}: {reply}", reply.status if reply.code < 500 else None)
        for reply in refusals:
            raise ForwardingRefusedError(f"{self._name}: {reply}", reply.status)


def _with_452_for_552(reply: Reply) -> Reply:
    # RFC 5321 section 4.5.3.1.10: said of a recipient, it may mean that there were too many.
    return Reply(452, reply.lines) if reply.code == 552 else reply
