"""Slows down whoever guesses passwords: failures are counted by address and by user, and forgotten with time.

A count is a leaky bucket: each failure adds one, and one leaks out in ``LEAK_SECONDS``. An IPv6 address counts with its
/64, which one customer has. A full bucket of an address refuses every login from there. A full bucket of a user
refuses logins as this user, but not from an address the user logged in from before: otherwise a stranger could lock
anybody out. Nothing here depends on whether a user exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from accounts.bounded_table import BoundedTable

LEAK_SECONDS: Final = 60.0
FAILURES_PER_USER: Final = 50
"""More than one mistyping client brings together, far fewer than guessing needs."""

BACK_OFF_MAX: Final = 8
ENTRIES_MAX: Final = 50_000  # about 10 MB each; whoever owns more networks than this drives out others' counts


@dataclass(frozen=True, slots=True)
class _Bucket:
    level: float
    filled: float

    def level_at(self, now: float) -> float:
        return max(0.0, self.level - (now - self.filled) / LEAK_SECONDS)


class Throttle:
    """The counts of one authenticator. ``now`` is in seconds of a clock that never goes back."""

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._addresses: BoundedTable[str, _Bucket] = BoundedTable(entries_max)
        self._users: BoundedTable[str, _Bucket] = BoundedTable(entries_max)
        self._known: BoundedTable[tuple[str, str], bool] = BoundedTable(entries_max)

    def address_blocked(self, address: str, failures_max: int, now: float) -> bool:
        """Whether an address may not try now; ``failures_max`` 0 blocks nobody."""
        return 0 < failures_max <= _ceiling(self._addresses, network_of(address), now)

    def user_blocked(self, user: str, address: str, now: float) -> bool:
        """Whether nobody may try to be this user from an address the user is not known to use."""
        if self._known.get((user, network_of(address))):
            return False
        return _ceiling(self._users, user, now) >= FAILURES_PER_USER

    def failed(self, address: str, user: str | None, now: float) -> None:
        """Count a failed login; ``user`` is None where the name was none."""
        _fill(self._addresses, network_of(address), now)
        if user is not None:
            _fill(self._users, user, now)

    def succeeded(self, address: str, user: str) -> None:
        """Remember where a user logs in from. Forgives nothing: a guesser may well have an account of their own."""
        self._known.put((user, network_of(address)), True)

    def back_off(self, address: str, now: float) -> int:
        """By how much to lengthen the delay of an address's failures: 1, doubled for every four, at most 8."""
        return min(BACK_OFF_MAX, 1 << min(8, _ceiling(self._addresses, network_of(address), now) // 4))


def network_of(address: str) -> str:
    """What an address counts as: an IPv4 address, an IPv6 network of 64 bits, or a local socket."""
    if address == "unix":
        return address
    match ip_address(address):
        case IPv6Address(ipv4_mapped=IPv4Address() as mapped):
            return str(mapped)
        case IPv6Address() as ipv6:
            return f"{IPv6Address(int(ipv6) >> 64 << 64)}/64"
        case ipv4:
            return str(ipv4)


def _ceiling(table: BoundedTable[str, _Bucket], key: str, now: float) -> int:
    bucket = table.get(key)
    # Rounded up: a bucket that was just filled to the brim is full.
    return 0 if bucket is None else -int(-bucket.level_at(now) // 1)


def _fill(table: BoundedTable[str, _Bucket], key: str, now: float) -> None:
    bucket = table.get(key)
    table.put(key, _Bucket(1.0 + (0.0 if bucket is None else bucket.level_at(now)), now))
