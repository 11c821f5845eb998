"""The order of messages: that of their delivery, oldest first.

By the time in a message's name, else by the time of its file, to the microsecond, and by the name where times are
equal. A name's time never changes, so messages keep their order from session to session.

Nearly all names begin with ten digits of seconds and a dot, and those are in order once they are sorted as text, but
for the microseconds of messages of one second. Other names are sorted by a stand-in that begins like this too. (With a
tuple of numbers for each of 100,000 names it would take three times as long.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from itertools import compress, count, islice
from operator import eq
from typing import Final

_SECONDS_OCTETS: Final = 11  # ten digits and a dot
_SECONDS: Final = re.compile(r"[0-9]{10}\.")
_ALL_SECONDS: Final = re.compile(rf"(?:{_SECONDS.pattern})*")
_TIME: Final = re.compile(r"([0-9]{1,10})\.(?:[^.:,M]*M([0-9]{1,6})(?![0-9]))?")


def in_order(bases: Collection[str], mtime_ns: Callable[[str], int | None]) -> list[str]:
    """Sort messages by delivery.

    Args:
        bases: the unique parts of their names.
        mtime_ns: the time of the file of a message whose name has none, in nanoseconds since 1970; None if it is gone,
            which leaves the message out.
    """
    keys = sorted(bases)
    seconds = _seconds(keys)
    text = "".join(seconds)
    if len(text) == _SECONDS_OCTETS * len(keys) and _ALL_SECONDS.fullmatch(text):
        _sort_within_seconds(keys, seconds)
        return keys
    by_key = {}
    for base in keys:
        key = base if _SECONDS.match(base) else _stand_in(base, mtime_ns)
        if key is not None:
            by_key[key] = base
    keys = sorted(by_key)
    _sort_within_seconds(keys, _seconds(keys))
    return [by_key[key] for key in keys]


def _stand_in(base: str, mtime_ns: Callable[[str], int | None]) -> str | None:
    if found := _TIME.match(base):
        seconds, microseconds = int(found[1]), int(found[2] or 0)
    elif (nanoseconds := mtime_ns(base)) is not None:
        seconds, microseconds = divmod(max(nanoseconds, 0) // 1000, 1_000_000)
    else:
        return None
    return f"{min(seconds, 9_999_999_999):010}.M{microseconds}.{base}"


def _seconds(keys: list[str]) -> list[str]:
    return [key[:_SECONDS_OCTETS] for key in keys]


def _sort_within_seconds(keys: list[str], seconds: Sequence[str]) -> None:
    """Sort messages of one second by their microseconds; those of different seconds are in order."""
    start = end = 0
    for index in compress(count(1), map(eq, seconds, islice(seconds, 1, None))):  # those of the second before
        if index != end:
            start = index - 1
        end = index + 1
        if end == len(keys) or seconds[end] != seconds[start]:
            keys[start:end] = sorted(keys[start:end], key=_microseconds)  # stable: by the name where they are equal


def _microseconds(key: str) -> int:
    found = _TIME.match(key)
    return int(found[2] or 0) if found else 0
