"""The From_ line of a message that has none, or none that would do in front of any message."""

from __future__ import annotations

import re
from typing import Final

from spool.mbox.from_line import LINE_OCTETS_MAX, make_from_line, separates
from spool.mbox.headers import end_of_header

_RETURN_PATH: Final = re.compile(rb"^return-path:[ \t]*<([^>\n]*)>", re.IGNORECASE | re.MULTILINE)


def usable_from_line(line: bytes) -> bytes | None:
    """Return a From_ line, with LF, as it may stand before any message of an mbox; None if it would not separate."""
    line = line.rstrip(b"\r\n") + b"\n"
    usable = len(line) <= LINE_OCTETS_MAX and separates(line, after_blank_line=True)
    return line if usable else None


def from_line_for(head: bytes, seconds: float) -> bytes:
    """Make the From_ line of a message that begins with ``head``: with the sender its ``Return-Path`` tells."""
    end = end_of_header(head)
    found = _RETURN_PATH.search(head[: end[0]] if end else head)
    sender = found[1].decode("utf-8", "surrogateescape") if found else ""
    return make_from_line(sender or None, seconds)
