"""The From_ line that separates messages in an mbox: made, and recognized.

No standard binds the line; RFC 4155 describes the common form, ``From sender Thu Jan  1 00:00:00 1970``. Found in the
wild are days with a leading zero, the year before the time, times without seconds, zones before or after the year, RFC
822 dates, ``remote from host`` at the end, empty senders, senders with quoted spaces, and a CR at the end of the line.
What all have in common, and prose such as ``From here on it rained`` has not, is a date with month, time and year; so
a date decides, and the sender is not looked at.
"""

from __future__ import annotations

import re
import time
from typing import Final

MARK: Final = b"From "

LINE_OCTETS_MAX: Final = 1000
"""Longest From_ line, line end included: longer ones are text. Our own are at most 548 octets."""

_SENDER_OCTETS_MAX: Final = 512
_UNSAFE_IN_SENDER: Final = re.compile(rb"[\x00-\x20\x7f]")
_NULL_SENDER: Final = b"MAILER-DAEMON"

# Time, then zone and year in either order. The zone is EST, +0900 or "-0500 (EST)".
_MONTH: Final = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_TIME: Final = rb"\d{1,2}:\d\d(?::\d\d)?"
_ZONE: Final = rb"(?:[A-Z]{1,5}|[+-]\d{4}|\([A-Za-z]{1,5}\))"
_DATE: Final = re.compile(
    rb" (?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +)?"
    rb"(?:%(month)b +\d{1,2} +(?:%(time)b(?: +%(zone)b){0,2} +\d{4}|\d{4} +%(time)b)"
    rb"|\d{1,2} +%(month)b +\d{2}(?:\d\d)? +%(time)b)(?!\d)"
    rb"(?P<closed>(?: +%(zone)b){0,2}(?: +remote from [!-~]+)? *\r?\n?\Z)?"
    % {b"month": _MONTH, b"time": _TIME, b"zone": _ZONE}
)


def make_from_line(sender: str | None, seconds: float) -> bytes:
    """Make the From_ line of a new message, its LF included (RFC 4155 appendix A; the date is in UTC).

    White space and control characters of the sender become ``-``, as qmail does, and what is longer than 512 octets is
    cut: the line is one line, and its date is found, whatever the sender.

    Args:
        sender: the envelope sender; None, the null sender, becomes ``MAILER-DAEMON``.
        seconds: the time of delivery since 1970, UTC.
    """
    address = (sender or "").encode("utf-8", "surrogateescape")[:_SENDER_OCTETS_MAX]
    safe = _UNSAFE_IN_SENDER.sub(b"-", address) or _NULL_SENDER
    # asctime, unlike strftime, knows no locale.
    return b"From %b %b\n" % (safe, time.asctime(time.gmtime(seconds)).encode("ascii"))


def separates(line: bytes, *, after_blank_line: bool) -> bool:
    """Whether a line that begins with ``From `` begins a message.

    After a blank line any date in it will do. Without one, as behind a message that a crash tore after a line end, the
    date must also end the line, but for a zone and ``remote from``.

    Args:
        line: the line, with or without its line end, at most ``LINE_OCTETS_MAX`` octets.
        after_blank_line: whether the line before it is empty, or there is none.
    """
    date = _DATE.search(line, len(MARK) - 1)
    return date is not None and (after_blank_line or date["closed"] is not None)
