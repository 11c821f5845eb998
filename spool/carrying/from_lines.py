"""The date in a From_ line, and the From_ line for a message that has none."""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from typing import Final

from spool.mbox.from_line import LINE_OCTETS_MAX, make_from_line, separates
from spool.mbox.headers import end_of_header

_MONTHS: Final = b"JanFebMarAprMayJunJulAugSepOctNovDec"
_CLOCK: Final = re.compile(rb"[ ](\d{1,2}):(\d\d)(?::(\d\d))?(?!\d)")
_DAY: Final = re.compile(rb"[ ](?:([A-Z][a-z]{2})[ ]+(\d{1,2})|(\d{1,2})[ ]+([A-Z][a-z]{2}))(?=[ ])")
_YEAR: Final = re.compile(rb"[ ](\d{4})(?!\d)")
_SHORT_YEAR: Final = re.compile(rb"[ ]\d{1,2}[ ]+[A-Z][a-z]{2}[ ]+(\d\d)(?=[ ])")
_OFFSET: Final = re.compile(rb"[ ]([+-])(\d\d)(\d\d)(?!\d)")
_NAME: Final = re.compile(rb"[ ]([A-Z]{3,4})(?![A-Za-z])")
_HOURS: Final[Mapping[bytes, int]] = {
    b"EST": -5, b"EDT": -4, b"CST": -6, b"CDT": -5, b"MST": -7, b"MDT": -6, b"PST": -8, b"PDT": -7,
    b"JST": 9, b"CET": 1, b"CEST": 2, b"MET": 1, b"MEST": 2, b"BST": 1,
}  # fmt: skip
_RETURN_PATH: Final = re.compile(rb"^return-path:[ \t]*<([^>\n]*)>", re.IGNORECASE | re.MULTILINE)


def date_in(from_line: bytes) -> int | None:
    """Return the date of a From_ line in seconds since 1970, None if it has none that makes sense.

    Without a zone it is taken for UTC, which is right for ours and qmail's; others write their local time.
    """
    clock, day = _CLOCK.search(from_line, 4), _DAY.search(from_line, 4)
    year = _YEAR.search(from_line, 4) or _SHORT_YEAR.search(from_line, 4)
    if not (clock and day and year):
        return None
    month = _MONTHS.find(day[1] or day[4])
    number = int(year[1])
    if len(year[1]) == 2:
        number += 1900 if number >= 70 else 2000  # as RFC 2822 section 4.3, but nobody's mail is older than 1970
    hours, minutes, seconds = int(clock[1]), int(clock[2]), int(clock[3] or 0)
    month_day = int(day[2] or day[3])
    if month < 0 or month % 3 or not (hours < 24 and minutes < 60 and seconds <= 60 and 1 <= month_day <= 31):
        return None
    parts = (number, month // 3 + 1, month_day, hours, minutes, seconds)
    return max(calendar.timegm(parts) - _zone_seconds(from_line, clock.end()), 0)


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


def _zone_seconds(from_line: bytes, start: int) -> int:
    if offset := _OFFSET.search(from_line, start):
        seconds = int(offset[2]) * 3600 + int(offset[3]) * 60
        return -seconds if offset[1] == b"-" else seconds
    name = _NAME.search(from_line, start)
    return _HOURS.get(name[1], 0) * 3600 if name else 0
