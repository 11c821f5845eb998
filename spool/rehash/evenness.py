"""How evenly each layout would spread the users of a site over its directories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from spool.layouts import LAYOUTS, Layout
from spool.names import UserName

_FIRST: Final = 26 + 10 + 1  # what a user name may begin with: letters, digits, underscore
_LATER: Final = _FIRST + 4  # and what may follow: these, and . + = -
_DIRECTORIES: Final[Mapping[str, int]] = {
    "letter": 26,
    "letter4": 26,
    "first": _FIRST,
    "first-two": _FIRST * _LATER,
    "qpopper1": 26,
    "qpopper2": _FIRST * _LATER,
    "hex2": 65536,
    "flat": 1,
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a histogram: how many directories hold from ``least`` to ``most`` users."""

    least: int
    most: int
    directories: int


@dataclass(frozen=True, slots=True)
class Evenness:
    """How a layout spreads users.

    Attributes:
        layout: its name.
        directories: how many it has for names of all kinds.
        used: how many hold a user.
        empty: how many hold none.
        mean: users in each that holds any.
        most: users in the fullest.
        fullest: that directory, below the root; empty for the root itself.
        histogram: of the used ones; each bar goes to twice as many users as the one before it.
    """

    layout: str
    directories: int
    used: int
    empty: int
    mean: float
    most: int
    fullest: str
    histogram: Sequence[Bar]


def evenness_of(layout: Layout, users: Collection[UserName]) -> Evenness:
    """Compute where a layout would put these users, of whom there is at least one."""
    counts = Counter(map(layout.directory, users))
    (fullest, most), *_ = counts.most_common(1)
    bars = Counter(count.bit_length() for count in counts.values())
    return Evenness(
        layout=layout.name,
        directories=_DIRECTORIES[layout.name],
        used=len(counts),
        empty=_DIRECTORIES[layout.name] - len(counts),
        mean=len(users) / len(counts),
        most=most,
        fullest=fullest,
        histogram=tuple(Bar(2 ** (bits - 1), 2**bits - 1, bars[bits]) for bits in range(1, max(bars) + 1)),
    )


def evenness_of_all(users: Collection[UserName]) -> Sequence[Evenness]:
    """Compute the evenness of every layout, the most even first; of none if there are no users."""
    if not users:
        return ()
    return sorted((evenness_of(layout, users) for layout in LAYOUTS.values()), key=lambda one: (one.most, one.used))
