"""File names in a Maildir: how ours are made, and what any can tell.

A name is ``BASE`` or ``BASE:INFO``. The base is made once and identifies the message for good; the info changes with
the message's flags (``:2,FS``: flagged and seen). Ours look like
``1732424000.M512330P4711Q3R9f8a6b5c.mx1.example.org,S=1432,W=1467``: the time in seconds and microseconds, the process,
a count and a random number in it, the host, the size as stored, and the size in wire octets. With a host of up to 14
octets or so the base is a unique-id as it stands (``spool.unique_ids``).

Names are ``str`` as the ``os`` functions make them, undecodable octets as surrogates. Foreign names are opaque but for
what is recognised here, and none of it is trusted further than that a wrong value does no harm.
"""

from __future__ import annotations

import itertools
import os
import re
import secrets
import time
from collections.abc import Callable, Collection
from typing import Final

SEEN: Final = "S"

# One match a name in names that each end in a slash, which no name has; more digits would be no size of a file.
_WIRE_OCTETS: Final = re.compile(r"(?:[^/]*,W=([0-9]{1,15})(?=[,/]))?[^/]*/")
_FLAGS: Final = re.compile(r":2,([A-Za-z]*)")
_RANDOM_OCTETS: Final = 4  # for two containers with one host name and process number in the same microsecond
_HOST_OCTETS_MAX: Final = 64  # as qmail: keeps the name far from the file system's 255


class UniqueNames:
    """Makes names that no other delivery has, on any host that shares the file system.

    Args:
        clock_ns: nanoseconds since 1970.
        pid: the process, asked each time because processes fork.
        random_hex: random hexadecimal digits, two for each octet asked for.
        host: the host's name.
    """

    def __init__(
        self,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        pid: Callable[[], int] = os.getpid,
        random_hex: Callable[[int], str] = secrets.token_hex,
        host: str | None = None,
    ) -> None:
        self._clock_ns = clock_ns
        self._pid = pid
        self._random_hex = random_hex
        self._host = _escaped(os.uname().nodename if host is None else host)
        self._counter = itertools.count(1)

    def make(self) -> str:
        """Make one name, without sizes."""
        seconds, nanoseconds = divmod(self._clock_ns(), 1_000_000_000)
        unique = f"M{nanoseconds // 1000}P{self._pid()}Q{next(self._counter)}R{self._random_hex(_RANDOM_OCTETS)}"
        return f"{seconds}.{unique}.{self._host}"


def with_sizes(base: str, *, disk_octets: int, wire_octets: int) -> str:
    """Add the sizes of a message to its name, before it is first seen."""
    return f"{base},S={disk_octets},W={wire_octets}"


def split_name(name: str) -> tuple[str, str]:
    """Part a file name into its base and its info; the info begins with the colon, or is empty."""
    base, colon, info = name.partition(":")
    return base, colon + info


def wire_octets_in(base: str) -> int | None:
    """The size in wire octets that a base claims with ``,W=``."""
    (octets,) = claimed_wire_octets([base])
    return int(octets) if octets else None


def claimed_wire_octets(bases: Collection[str]) -> list[str]:
    """The same for many, in digits, empty where one claims none."""
    # All at once: a search for each takes five times as long, and there may be 100,000.
    found: list[str] = _WIRE_OCTETS.findall("/".join(bases) + "/") if bases else []
    return found


def is_seen(info: str) -> bool:
    """Whether an info says that somebody has read the message."""
    return SEEN in _flags(info)


def with_seen(info: str) -> str:
    """Add the flag for read messages to an info, keeping the order by ASCII; another kind of info is replaced."""
    return ":2," + "".join(sorted({*_flags(info), SEEN}))


def _flags(info: str) -> str:
    found = _FLAGS.fullmatch(info)
    return found[1] if found else ""


def _escaped(host: str) -> str:
    # The maildir protocol's own way for "/" and ":"; a comma would begin a size, and white space no unique-id may have.
    plain = host.replace("/", r"\057").replace(":", r"\072").replace(",", r"\054")
    return re.sub(r"[^!-~]", "_", plain)[:_HOST_OCTETS_MAX] or "localhost"
