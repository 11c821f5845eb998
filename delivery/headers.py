"""The lines that a delivery puts before a message (qmail-local; envelopes(5))."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from delivery.addresses import quoted
from spool.mbox.from_line import make_from_line

_UNSAFE: Final = re.compile(rb"[\r\n\0]")


@dataclass(frozen=True, slots=True)
class AddedLines:
    """What qmail calls DTLINE, RPLINE and UFLINE, each with its line end."""

    delivered_to: bytes
    return_path: bytes
    from_line: bytes


def added_lines(recipient: str, sender: str | None, seconds: float) -> AddedLines:
    """Make the lines for one recipient.

    Args:
        recipient: the address, local part and domain as they were given.
        sender: the envelope sender, None for the null sender.
        seconds: the time of the delivery since 1970, UTC.
    """
    return AddedLines(
        b"Delivered-To: " + _one_line(recipient) + b"\n",
        b"Return-Path: <" + _one_line(quoted(sender or "")) + b">\n",
        make_from_line(sender, seconds),
    )


def _one_line(text: str) -> bytes:
    return _UNSAFE.sub(b"_", text.encode("utf-8", "surrogateescape"))
