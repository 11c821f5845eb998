"""The date in a From_ line: when its message arrived, as far as whoever wrote the line says so."""

from __future__ import annotations

import calendar
import re
from typing import Final

_MONTHS: Final = b"JanFebMarAprMayJunJulAugSepOctNovDec"
_CLOCK: Final = re.compile(rb" (\d{1,2}):(\d\d)(?::(\d\d))?(?!\d)")
# "Nov 24", or "24 Nov 2026" and "24 Nov 26" as in RFC 822.
_DAY: Final = re.compile(
    rb" (?:(?P<month>[A-Z][a-z]{2}) +(?P<day>\d{1,2})|(?P<day_first>\d{1,2}) +(?P<month_second>[A-Z][a-z]{2}))(?= )"
)
_YEAR: Final = re.compile(rb" (\d{4})(?!\d)")
_SHORT_YEAR: Final = re.compile(rb" \d{1,2} +[A-Z][a-z]{2} +(\d\d)(?= )")
_OFFSET: Final = re.compile(rb" ([+-])(\d\d)(\d\d)(?!\d)")


def date_of(from_line: bytes) -> int | None:
    """Return the date of a From_ line in seconds since 1970, None if it has none that makes sense.

    A zone counts if it is a number; what is local time or has a zone's name is taken for UTC, and so is up to half a
    day wrong.
    """
    clock, day = _CLOCK.search(from_line), _DAY.search(from_line)
    year = _YEAR.search(from_line) or _SHORT_YEAR.search(from_line)
    if clock is None or day is None or year is None:
        return None
    month, rest = divmod(_MONTHS.find(day["month"] or day["month_second"]), 3)
    numbers = (
        int(year[1]) if len(year[1]) == 4 else _full_year(int(year[1])),
        month + 1,
        int(day["day"] or day["day_first"]),
        int(clock[1]),
        int(clock[2]),
        int(clock[3] or 0),
    )
    limits = (range(1970, 10000), range(1, 13), range(1, 32), range(24), range(60), range(61))
    if rest or not all(number in limit for number, limit in zip(numbers, limits, strict=True)):
        return None
    return max(0, calendar.timegm(numbers) - _zone_seconds(from_line, clock.end()))


def _full_year(year: int) -> int:
    return 1900 + year if year >= 70 else 2000 + year


def _zone_seconds(from_line: bytes, start: int) -> int:
    offset = _OFFSET.search(from_line, start)
    if offset is None:
        return 0
    seconds = int(offset[2]) * 3600 + int(offset[3]) * 60
    return -seconds if offset[1] == b"-" else seconds
