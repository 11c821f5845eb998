"""The APOP time stamp of a greeting (RFC 1939 section 7)."""

from __future__ import annotations

import re
from typing import Final

MIN_RANDOM_OCTETS: Final = 8

# RFC 5322 section 3.2.3 dot-atom, in the letters a host name has.
_HOST: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")


def make_timestamp(random: bytes, clock: int, host: str) -> bytes:
    """Make a time stamp ``<random.clock@host>`` in the form of a message-id.

    It is a plain addr-spec (RFC 5322 section 3.4.1: dot-atoms on both sides), because careful clients refuse others:
    a time stamp with octets of an attacker's choice gives the secret away (CVE-2007-1558).

    Args:
        random: octets nobody could foresee, different for each greeting; at least ``MIN_RANDOM_OCTETS``.
        clock: seconds since the epoch, not negative.
        host: this host's name.

    Raises:
        ValueError: one of these is not so.
    """
    if len(random) < MIN_RANDOM_OCTETS or clock < 0:
        raise ValueError("a time stamp needs 64 random bits and a clock that is not negative")
    if len(host) > 255 or not _HOST.fullmatch(host):
        raise ValueError(f"not a host name: {host[:80]!r}")
    return f"<{random.hex()}.{clock}@{host}>".encode("ascii")
