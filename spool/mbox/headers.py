"""Header fields of an mbox that belong to the storage and not to the message.

Mail readers keep what they know about a message in its header (``Status``, ``X-UID``, …), and some delivery agents its
length. None of it was sent, so none of it goes out over POP3; and since whoever sends mail can write such fields too,
delivery takes them out, and what is left of them in files of other programs is believed only where it does no harm.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

HEAD_OCTETS: Final = 16 * 1024
"""As much of a message as is searched for what the storage wrote: its programs write their fields near the top."""

_LINES_OF_ANY_CASE: Final = re.IGNORECASE | re.MULTILINE
_CONTINUATION: Final = re.compile(rb"\A(?:[ \t][^\n]*\n)*")
_CONTENT_LENGTH: Final = re.compile(rb"^content-length:[ \t]*(\d{1,18})[ \t\r]*$", _LINES_OF_ANY_CASE)
_READ: Final = re.compile(rb"^status:[^\n]*R", _LINES_OF_ANY_CASE)
_IMAP_STATE: Final = re.compile(rb"^x-imap(?:base)?:", _LINES_OF_ANY_CASE)
_INTERNAL: Final = re.compile(rb"^subject:[^\n]*(?:DON'T DELETE THIS MESSAGE|FOLDER INTERNAL DATA)", _LINES_OF_ANY_CASE)


class FieldNames:
    """Names of header fields to be taken out, prepared once for all messages."""

    __slots__ = ("field", "marks", "octets_max", "start")

    def __init__(self, *names: bytes) -> None:
        self.marks = tuple(name.lower() + b":" for name in names)
        self.octets_max = max(map(len, self.marks))
        any_name = rb"(?:%b)" % b"|".join(map(re.escape, self.marks))
        self.start = re.compile(any_name, re.IGNORECASE)
        self.field = re.compile(rb"^%b[^\n]*\n(?:[ \t][^\n]*\n)*" % any_name, _LINES_OF_ANY_CASE)

    def occur_in(self, lines: bytes) -> bool:
        """Whether one of them may be there: certain only if not, but much faster than looking for ``field``."""
        small = lines.lower()
        for mark in self.marks:  # noqa: SIM110 - any() with a generator takes twice as long, for each message
            if mark in small:
                return True
        return False


STORAGE_FIELDS: Final = FieldNames(
    b"Status", b"X-Status", b"X-UID", b"X-UIDL", b"X-Keywords", b"X-IMAP", b"X-IMAPbase", b"Content-Length"
)

REWRITTEN_FIELDS: Final = FieldNames(b"Lines")
"""Part of the message for all we know, but mutt writes its own when it saves an mbox: no identity may hang on it."""


@dataclass(frozen=True, slots=True)
class Hints:
    """What storage fields say about a message. Hints: anybody may have written them.

    Attributes:
        body: offset of the body in the message, None if the header does not end within ``HEAD_OCTETS``.
        content_length: octets of the body, None if nothing says so.
        read: whether a mail reader has marked it as read (``Status: R``).
        internal: whether it looks like the message in which IMAP servers keep a mailbox's state.
    """

    body: int | None
    content_length: int | None
    read: bool
    internal: bool


def end_of_header(lines: bytes) -> tuple[int, int] | None:
    """Return where the first blank line begins and where it ends, None if there is none yet."""
    if lines.startswith((b"\n", b"\r\n")):
        return 0, lines.index(b"\n") + 1
    # Not by a regular expression: every message is searched, and find is ten times as fast.
    blank = lines.find(b"\n\n")
    blank_crlf = lines.find(b"\n\r\n", 0, blank if blank >= 0 else len(lines))
    if blank_crlf >= 0:
        return blank_crlf + 1, blank_crlf + 3
    return (blank + 1, blank + 2) if blank >= 0 else None


def read_hints(head: bytes) -> Hints:
    """Look for storage fields in the first ``HEAD_OCTETS`` of a message."""
    body, header = None, head
    if end := end_of_header(head):
        body, header = end[1], head[: end[0]]
    small = header.lower()
    # Patterns anchored at lines are slow, and few messages need them.
    length = _CONTENT_LENGTH.search(header) if b"content-length:" in small else None
    return Hints(
        body=body,
        content_length=int(length[1]) if length else None,
        read=b"status:" in small and _READ.search(header) is not None,
        internal=b"x-imap" in small and bool(_IMAP_STATE.search(header) and _INTERNAL.search(header)),
    )


class FieldFilter:
    """Takes header fields of given names out of one message, piece by piece, for any cuts between pieces.

    Names are compared without case; folded lines go with their field. Time is linear in the octets and memory
    constant, for a million fields as for a field of a gigabyte.
    """

    __slots__ = ("_dropping", "_held", "_in_body", "_in_line", "_names")

    def __init__(self, names: FieldNames) -> None:
        self._names = names
        self._held = b""  # the beginning of a line, too short to tell its name
        self._in_line = False  # in the middle of a line that was too long to wait for its end
        self._dropping = False  # the line being read, or else the one before, is taken out
        self._in_body = False

    def feed(self, piece: bytes) -> bytes:
        """Return what of the message is certain after the next piece; it may be empty."""
        if self._in_body:
            return piece
        data = self._held + piece if self._held else piece
        self._held = b""
        if not self._in_line:
            return self._feed_lines(data)
        line_octets = data.find(b"\n") + 1
        if not line_octets:
            return b"" if self._dropping else data
        self._in_line = False
        passed = b"" if self._dropping else data[:line_octets]
        return passed + self._feed_lines(data[line_octets:])

    def finish(self) -> bytes:
        """Return what was held back at the end of the message."""
        held, self._held = self._held, b""
        return b"" if self._takes_out(held) else held

    def _feed_lines(self, data: bytes) -> bytes:
        if end := end_of_header(data):
            self._in_body = True
            header = data[: end[0]]
            kept = self._without_fields(header)
            return data if kept is header else kept + data[end[0] :]
        complete = data.rfind(b"\n") + 1
        kept, rest = self._without_fields(data[:complete]), data[complete:]
        if len(rest) < self._names.octets_max:
            self._held = rest
            return kept
        self._in_line = True
        self._dropping = self._takes_out(rest)
        return kept if self._dropping else kept + rest

    def _takes_out(self, line_start: bytes) -> bool:
        if line_start[:1] in (b" ", b"\t"):
            return self._dropping
        return self._names.start.match(line_start) is not None

    def _without_fields(self, lines: bytes) -> bytes:
        if self._dropping:
            lines = _CONTINUATION.sub(b"", lines, count=1)
        if not lines:
            return lines
        self._dropping = False
        if not self._names.occur_in(lines):
            return lines
        start = 0
        kept = []
        for field in self._names.field.finditer(lines):
            kept.append(lines[start : field.start()])
            start = field.end()
        self._dropping = start == len(lines)
        return b"".join(kept) + lines[start:]
