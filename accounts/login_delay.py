"""LOGIN-DELAY (RFC 2449 section 6.5): the least time between two logins of one user."""

from __future__ import annotations

from typing import Final

from accounts.bounded_table import BoundedTable
from spool.names import UserName

ENTRIES_MAX: Final = 200_000  # users who log in within one delay; beyond it the earliest may come again early


class LoginDelay:
    """When each user logged in last. ``now`` is in seconds of a clock that never goes back."""

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._logins: BoundedTable[UserName, float] = BoundedTable(entries_max)

    def too_soon(self, user: UserName, delay_seconds: float, now: float) -> bool:
        """Whether less than the delay has passed since the user's last login."""
        self._logins.remove_oldest_while(lambda last: now - last >= delay_seconds)
        last = self._logins.get(user)
        return last is not None and now - last < delay_seconds

    def logged_in(self, user: UserName, delay_seconds: float, now: float) -> None:
        """Note a login; without a delay there is nothing to note."""
        if delay_seconds > 0:
            self._logins.put(user, now)

    def forget(self, user: UserName) -> None:
        """The user's last login came to nothing."""
        self._logins.remove(user)
