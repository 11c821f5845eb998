"""The order of messages: that of their delivery, oldest first.

By the time in a message's name, else by the time of its file, to the microsecond, and by the name where times are
equal. A name's time never changes, so messages keep their order from session to session.

Nearly all names begin with ten digits of seconds and a dot, and those are in order once they are sorted as text, but
for the microseconds of messages of one second. Other names are sorted by a stand-in that begins like this too. (With a
tuple of numbers for each of 100,000 names it would take three times as long.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from itertools import pairwise
from typing import Final

_SECONDS_OCTETS: Final = 11  # ten digits and a dot
_SORTED_AS_TEXT: Final = re.compile(r"[0-9]{10}\.").match
_TIME: Final = re.compile(r"([0-9]{1,10})\.(?:[^.:,M]*M([0-9]{1,6})(?![0-9]))?")


def in_order(bases: Collection[str], mtime_ns: Callable[[str], int | None]) -> list[str]:
    """Sort messages by delivery.

    Args:
        bases: the unique parts of their names.
        mtime_ns: the time of the file of a message whose name has none, in nanoseconds since 1970; None if it is gone,
            which leaves the message out.
    """
    keys = [base for base in bases if _SORTED_AS_TEXT(base)]
    stand_ins: dict[str, str] = {}
    if len(keys) < len(bases):
        for base in bases:
            if not _SORTED_AS_TEXT(base) and (key := _stand_in(base, mtime_ns)) is not None:
                stand_ins[key] = base
        keys += stand_ins
    keys.sort()
    _sort_seconds(keys)
    return [stand_ins.get(key, key) for key in keys] if stand_ins else keys


def _stand_in(base: str, mtime_ns: Callable[[str], int | None]) -> str | None:
    if found := _TIME.match(base):
        seconds, microseconds = int(found[1]), int(found[2] or 0)
    elif (nanoseconds := mtime_ns(base)) is not None:
        seconds, microseconds = divmod(max(nanoseconds, 0) // 1000, 1_000_000)
    else:
        return None
    return f"{min(seconds, 9_999_999_999):010}.M{microseconds}.{base}"


def _sort_seconds(keys: list[str]) -> None:
    """Sort messages of one second by their microseconds; those of different seconds are in order."""
    seconds = [key[:_SECONDS_OCTETS] for key in keys]
    start = 0
    for end in [index for index, (one, other) in enumerate(pairwise(seconds), 1) if one != other] + [len(keys)]:
        if end - start > 1:
            keys[start:end] = sorted(keys[start:end], key=_microseconds)  # stable: by the name where they are equal
        start = end


def _microseconds(key: str) -> int:
    found = _TIME.match(key)
    return int(found[2] or 0) if found else 0
