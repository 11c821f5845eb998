"""Header fields of an mbox that belong to the storage and not to the message.

Mail readers keep what they know about a message in its header (``Status``, ``X-UID``, …), and some delivery agents its
length. None of it was sent, so none of it goes out over POP3; and since whoever sends mail can write such fields too,
delivery takes them out, and what is left of them in files of other programs is believed only where it does no harm.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

HEAD_OCTETS: Final = 16 * 1024
"""As much of a message as is searched for what the storage wrote: its programs write their fields near the top."""

_CONTINUATION: Final = re.compile(rb"\A(?:[ \t][^\n]*\n)*")
_CONTENT_LENGTH: Final = re.compile(rb"[ \t]*(\d{1,18})[ \t\r]*(?:\n|\Z)")
_INTERNAL: Final = re.compile(
    rb"^subject:[^\n]*(?:DON'T DELETE THIS MESSAGE|FOLDER INTERNAL DATA)", re.IGNORECASE | re.MULTILINE
)


class FieldNames:
    """Names of header fields to be taken out, prepared once for all messages."""

    __slots__ = ("_field", "marks", "octets_max", "start")

    def __init__(self, *names: bytes) -> None:
        self.marks = tuple(name.lower() + b":" for name in names)
        self.octets_max = max(map(len, self.marks))
        any_mark = rb"(?:%b)" % b"|".join(map(re.escape, self.marks))
        self.start = re.compile(any_mark, re.IGNORECASE)
        self._field = re.compile(rb"\n" + any_mark)

    def places_in(self, lines: bytes) -> Sequence[tuple[int, int]]:
        """Find the fields of these names in whole lines, in order: where each begins, and where its last line ends."""
        # Every header is searched. With an LF before each line, in lower case, that is twenty times as fast as with
        # patterns that compare without case; an LF is where the line begins in ``lines``.
        small = b"\n" + lines.lower()
        places = []
        stop = 0
        while found := self._field.search(small, stop):
            start = found.start()
            stop = _end_of_field(lines, start)
            places.append((start, stop))
        return places


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
        fields: the places of its storage fields in the header.
        content_length: octets of the body, None if nothing says so.
        read: whether a mail reader has marked it as read (``Status: R``).
        internal: whether it looks like the message in which IMAP servers keep a mailbox's state.
    """

    body: int | None
    fields: Sequence[tuple[int, int]]
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
    places = STORAGE_FIELDS.places_in(header)
    content_length = None
    read = imap_state = False
    for start, stop in places:
        name, _, value = header[start:stop].partition(b":")
        match name.lower():
            case b"status":
                read = read or b"R" in value.partition(b"\n")[0].upper()
            case b"content-length" if content_length is None and (length := _CONTENT_LENGTH.match(value)):
                content_length = int(length[1])
            case b"x-imap" | b"x-imapbase":
                imap_state = True
            case _:
                pass
    return Hints(body, places, content_length, read, internal=imap_state and bool(_INTERNAL.search(header)))


def without(lines: bytes, places: Sequence[tuple[int, int]]) -> bytes:
    """Return what is left of the lines without what lies at these places, which are in order."""
    start = 0
    kept = []
    for place, stop in places:
        kept.append(lines[start:place])
        start = stop
    return b"".join(kept) + lines[start:] if kept else lines


def _end_of_field(lines: bytes, start: int) -> int:
    """Where a field that begins at ``start`` ends, with the lines that continue it."""
    end = lines.find(b"\n", start) + 1
    while end and lines.startswith((b" ", b"\t"), end):
        end = lines.find(b"\n", end) + 1
    return end or len(lines)


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
        places = self._names.places_in(lines)
        self._dropping = bool(places) and places[-1][1] == len(lines)
        return without(lines, places)
