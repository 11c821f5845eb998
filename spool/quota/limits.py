"""A limit on one mailbox: how many octets and how many messages it may hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

NO_LIMIT: Final = "none"
_TEXT: Final = re.compile(r"(?:([0-9]{1,15})([KMGT]?))?(?:,([0-9]{1,15}))?")
_UNITS: Final[Mapping[str, int]] = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True, slots=True)
class Limit:
    """What one mailbox may hold at most; None for a side that is not limited.

    Raises:
        ValueError: neither side is limited, or one of them to nothing.
    """

    octets: int | None
    messages: int | None

    def __post_init__(self) -> None:
        present = [side for side in (self.octets, self.messages) if side is not None]
        if not present or min(present) < 1:
            raise ValueError(f"expected at least 1 octet or message, found {self}")

    @property
    def definition(self) -> bytes:
        """The limit as the first line of a ``maildirsize`` has it (Maildir++): ``1000000S,1000C``."""
        sides = ((self.octets, "S"), (self.messages, "C"))
        return ",".join(f"{side}{letter}" for side, letter in sides if side is not None).encode("ascii")

    def allows(self, octets: int, messages: int) -> bool:
        """Whether a mailbox may hold so much."""
        return (self.octets is None or octets <= self.octets) and (self.messages is None or messages <= self.messages)

    def share(self, octets: int, messages: int) -> float:
        """How much of the limit is used, by that side of which more is; over 1 if it is exceeded."""
        sides = ((octets, self.octets), (messages, self.messages))
        return max(used / limit for used, limit in sides if limit is not None)

    def __str__(self) -> str:
        octets = "" if self.octets is None else _short(self.octets)
        return octets if self.messages is None else f"{octets},{self.messages}"


def parse_limit(text: str) -> Limit | None:
    """Read ``OCTETS,MESSAGES``, either of which may be missing; ``none`` is None, no limit.

    OCTETS may end in K, M, G or T, by 1024.

    Raises:
        ValueError: it is not of that form.
    """
    if text == NO_LIMIT:
        return None
    parts = _TEXT.fullmatch(text)
    if parts is None or not text:
        raise ValueError(f"expected a limit such as 500M, 1G,10000 or {NO_LIMIT}, found {text[:80]!r}")
    octets, unit, messages = parts.groups()
    return Limit(int(octets) * _UNITS[unit] if octets else None, int(messages) if messages else None)


def _short(octets: int) -> str:
    unit, size = max((item for item in _UNITS.items() if octets % item[1] == 0), key=lambda item: item[1])
    return f"{octets // size}{unit}"
