"""Handing one message for one recipient over to the site's running service, by LMTP (RFC 2033) on its UNIX socket.

``spool-deliver`` does this for every message, a process each, so this module and ``delivery.lmtp_socket`` import what
is written in C alone: ``posix`` and ``_socket``. With ``os`` it would take 2 ms longer, with ``socket`` 18 ms, as long
as Python itself takes to start; a delivery by dovecot-lda takes 12 (``bench/lda.py``). It blocks.

The message goes by BDAT (RFC 3030): octets are counted, so that one without a final line end is stored without one.
Line ends are CRLF on the way, and whatever CRs a message has stay what they are. Only an mbox's From line is taken off.
"""

import _socket
import posix
import sys

from delivery.lmtp_socket import LmtpSocket

PATH_OCTETS_MAX = 512  # what the service takes
CHUNK_OCTETS = 256 * 1024
REPLY_SECONDS = 600.0  # RFC 5321 section 4.5.3.2.6; the service decides within [lmtp] reply_seconds
REPLY_OCTETS_MAX = 64 * 1024

_CREDENTIALS_OCTETS = 12  # struct ucred: pid, uid, gid
_LETTERS_DIGITS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_ATOM = _LETTERS_DIGITS | frozenset("!#$%&'*+-/=?^_`{|}~")
_LABEL = _LETTERS_DIGITS | frozenset("-_")


class NobodyThereError(Exception):
    """Nobody takes mail over there, or not from us: nothing was said, and the message was not read."""


class HandOverError(Exception):
    """The service did not do what it should. The message may be delivered or not; who tries again loses none."""


class Reply:
    """What was answered about the recipient.

    Attributes:
        code: of RFC 5321.
        status: the enhanced status code of RFC 3463, empty where there was none.
        text: what else was said.
    """

    __slots__ = ("code", "status", "text")

    def __init__(self, code: int, status: str, text: str) -> None:
        self.code = code
        self.status = status
        self.text = text

    @property
    def good(self) -> bool:
        """Whether it went as asked."""
        return 200 <= self.code < 300


def hand_over(to: LmtpSocket, sender: str, recipient: str, message: int) -> Reply:
    """Hand one message over.

    Where the reply is good, the message is delivered as durably as the service delivers: it is on disk.

    Args:
        to: where the service takes it over.
        sender: the envelope sender, empty for the null sender.
        recipient: a local part, or an address.
        message: a descriptor of the message with LF line ends, read from where it stands to its end.

    Returns:
        What the service says of the recipient.

    Raises:
        NobodyThereError: nothing was said and ``message`` not read.
        HandOverError: the service broke off, or said what no service says.
    """
    sender_path, recipient_path = path_of(sender) if sender else b"<>", path_of(recipient)
    if sender_path is None or recipient_path is None:
        raise NobodyThereError("an address that LMTP has no words for")
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        _connect(connection, to)
        try:
            return _talk(_Conversation(connection), sender_path, recipient_path, message)
        except OSError as error:
            raise HandOverError(str(error)) from error
    finally:
        connection.close()


def _connect(connection: _socket.socket, to: LmtpSocket) -> None:
    connection.settimeout(REPLY_SECONDS)
    try:
        connection.connect(to.path)
    except BlockingIOError as error:
        raise HandOverError("the service has more connections waiting than it takes") from error
    except OSError as error:
        raise NobodyThereError(str(error)) from error
    if _uid_of_listener(connection) not in (0, to.uid):
        raise NobodyThereError("the socket is not the service's")


def _uid_of_listener(connection: _socket.socket) -> int:
    credentials = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, _CREDENTIALS_OCTETS)
    return int.from_bytes(credentials[4:8], sys.byteorder)


def _talk(service: "_Conversation", sender: bytes, recipient: bytes, message: int) -> Reply:
    service.expect_good()
    service.say(b"LHLO localhost\r\n")
    service.expect_good()
    utf8 = b"" if sender.isascii() and recipient.isascii() else b" SMTPUTF8"
    service.say(b"MAIL FROM:" + sender + utf8 + b"\r\nRCPT TO:" + recipient + b"\r\n")
    service.expect_good()
    reply = service.reply()
    if not reply.good:
        return reply
    chunk = without_from_line(_chunk(message))
    while following := _chunk(message):
        service.say(_bdat(chunk, b""))
        service.expect_good()
        chunk = following
    service.say(_bdat(chunk, b" LAST"))
    return service.reply()


def without_from_line(beginning: bytes) -> bytes:
    """Take the line off with which an mbox begins: Postfix's local(8) puts it before what it pipes into a command.

    Stored, it would make everything behind it look like a body.
    """
    return beginning.partition(b"\n")[2] if beginning.startswith(b"From ") else beginning


def _bdat(chunk: bytes, last: bytes) -> bytes:
    octets = chunk.replace(b"\n", b"\r\n")
    return b"BDAT %d%b\r\n" % (len(octets), last) + octets


def _chunk(message: int) -> bytes:
    """Read more of the message; nothing at its end."""
    pieces = []
    room = CHUNK_OCTETS
    while room and (piece := posix.read(message, room)):
        pieces.append(piece)
        room -= len(piece)
    return b"".join(pieces)


class _Conversation:
    """Lines to a service, and its replies."""

    def __init__(self, connection: _socket.socket) -> None:
        self._connection = connection
        self._received = b""

    def say(self, octets: bytes) -> None:
        self._connection.sendall(octets)

    def expect_good(self) -> None:
        """Take a reply that says nothing of the recipient; a bad one is the service's trouble, or ours."""
        reply = self.reply()
        if not reply.good:
            raise HandOverError(f"{reply.code} {reply.status} {reply.text}")

    def reply(self) -> Reply:
        line = self._line()
        while line[3:4] == b"-":
            line = self._line()
        code, rest = line[:3], line[4:].decode("ascii", "replace")
        if not (code.isdigit() and line[3:4] in (b" ", b"")):
            raise HandOverError("the service does not speak LMTP")
        status, _, text = rest.partition(" ")
        if status.count(".") != 2 or not status.replace(".", "").isdigit():
            status, text = "", rest
        return Reply(int(code), status, text)

    def _line(self) -> bytes:
        while b"\r\n" not in self._received:
            if len(self._received) > REPLY_OCTETS_MAX:
                raise HandOverError("the service says too much")
            more = self._connection.recv(4096)
            if not more:
                raise HandOverError("the service closed the connection")
            self._received += more
        line, _, self._received = self._received.partition(b"\r\n")
        return line


def path_of(address: str) -> bytes | None:
    """Make a path in angle brackets of an address whose local part is not quoted; None for what cannot be said so.

    What is not ASCII needs SMTPUTF8, and may be any octets (surrogate escapes). ``delivery.smtp_text`` writes paths for
    other servers; this one is here because it must do without ``re``.
    """
    local, at, domain = address.rpartition("@")
    if not at:
        local = address
    elif not _is_domain(domain):
        return None
    if not local or any(character < " " or character == "\x7f" for character in local):
        return None
    if not all(map(_is_atom, local.split("."))):
        local = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
    path = f"<{local}{at}{domain if at else ''}>".encode("utf-8", "surrogateescape")
    return path if len(path) <= PATH_OCTETS_MAX else None


def _is_atom(text: str) -> bool:
    return bool(text) and all(character in _ATOM or character >= "\x80" for character in text)


def _is_domain(text: str) -> bool:
    labels = text.removesuffix(".").split(".")
    return all(
        label
        and label[0] not in "-_"
        and label[-1] not in "-_"
        and all(character in _LABEL or character >= "\x80" for character in label)
        for label in labels
    )
