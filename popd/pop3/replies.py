"""Replies in wire form: one line of at most 512 octets, or that line, dot-stuffed lines, and the terminator."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from popd.pop3.steps import ResponseCode, Send

MAX_REPLY_OCTETS: Final = 512  # RFC 2449 section 4; the CRLF counts
MAX_LISTED_OCTETS: Final = 998  # of a header field in a listing: RFC 5322 section 2.1.1, without the CRLF
TERMINATOR: Final = b".\r\n"

_NOT_SHOWN: Final = re.compile(r"[^ -~]")


def positive(text: str) -> Send:
    """``+OK text``; ``text`` is our own, printable ASCII, and does not begin with a bracket."""
    return Send(f"+OK {text}\r\n".encode("ascii"))


def negative(text: str, code: ResponseCode | None = None) -> Send:
    """``-ERR [code] text``.

    ``text`` may come from outside the core: it is cut to one line of printable ASCII, and cannot pass for a response
    code (RFC 2449 section 8.1: text that begins with a bracket is one).
    """
    shown = _NOT_SHOWN.sub("?", text).lstrip("[ ")
    line = f"-ERR [{code.value}] {shown}" if code else f"-ERR {shown}"
    return Send(line[: MAX_REPLY_OCTETS - 2].encode("ascii") + b"\r\n")


def multi_line(text: str, lines: Iterable[str]) -> Send:
    """A positive multi-line reply of lines that need no dot-stuffing: our own, none of which begins with a dot."""
    return Send("\r\n".join((f"+OK {text}", *lines, ".\r\n")).encode("ascii"))
