"""What mail readers have marked a message with: in a Maildir's file names, and in the header fields of an mbox."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from spool.maildir.directories import Part, Place
from spool.mbox.headers import end_of_header

_INFO: Final = re.compile(r":2,([A-Za-z]*)")
_FIELD: Final = re.compile(rb"^(status|x-status|x-keywords):([^\n]*)", re.IGNORECASE | re.MULTILINE)
_FORWARDED: Final = b"$Forwarded"  # the keyword that IMAP servers show for Maildir's P


class Flag(enum.Enum):
    """The marks that both kinds know; the values are Maildir's letters."""

    DRAFT = "D"
    FLAGGED = "F"
    PASSED = "P"
    REPLIED = "R"
    SEEN = "S"
    TRASHED = "T"


_IN_STATUS: Final[Mapping[int, Flag]] = {ord("R"): Flag.SEEN}
_IN_X_STATUS: Final[Mapping[int, Flag]] = {
    ord("A"): Flag.REPLIED,
    ord("F"): Flag.FLAGGED,
    ord("T"): Flag.DRAFT,
    ord("D"): Flag.TRASHED,
}


@dataclass(frozen=True, slots=True)
class Flags:
    """The marks of one message. ``recent``: no mail reader has looked at the mailbox since it came."""

    marks: frozenset[Flag] = frozenset()
    recent: bool = True

    @classmethod
    def from_place(cls, place: Place) -> Flags:
        """Read them from where a message lies in a Maildir. Keywords (lower case letters) are not among them."""
        found = _INFO.fullmatch(place.info)
        letters = found[1] if found else ""
        return cls(frozenset(flag for flag in Flag if flag.value in letters), place.part is Part.NEW)

    @classmethod
    def from_head(cls, head: bytes) -> Flags:
        """Read them from the beginning of a message in an mbox, its From_ line excluded."""
        end = end_of_header(head)
        fields = {name.lower(): value for name, value in _FIELD.findall(head[: end[0]] if end else head)}
        status, x_status = fields.get(b"status", b""), fields.get(b"x-status", b"")
        marks = {_IN_STATUS[octet] for octet in status if octet in _IN_STATUS}
        marks |= {_IN_X_STATUS[octet] for octet in x_status if octet in _IN_X_STATUS}
        if _FORWARDED in fields.get(b"x-keywords", b"").split():
            marks.add(Flag.PASSED)
        return cls(frozenset(marks), b"O" not in status)

    @property
    def place(self) -> Place:
        """Where a message with these marks belongs in a Maildir."""
        if self.recent and not self.marks:
            return Place(Part.NEW, "")
        return Place(Part.CUR, ":2," + "".join(sorted(flag.value for flag in self.marks)))

    @property
    def fields(self) -> bytes:
        """The header fields that say the same in an mbox, nothing for a new message."""
        status = (b"R" if Flag.SEEN in self.marks else b"") + (b"" if self.recent else b"O")
        x_status = bytes(octet for octet, flag in _IN_X_STATUS.items() if flag in self.marks)
        lines = [(b"Status", status), (b"X-Status", x_status)]
        if Flag.PASSED in self.marks:
            lines.append((b"X-Keywords", _FORWARDED))
        return b"".join(b"%b: %b\n" % line for line in lines if line[1])
