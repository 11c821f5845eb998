"""Recipients that were good a moment ago, and need not be looked at again when a client names them.

A check costs as much as a delivery without its syncs, and mail for one recipient comes in bursts. It is there to refuse
early what a delivery would refuse later, and every delivery finds out for itself whom it is for and whether there is
room: so nothing depends on an answer that is a few seconds old, but the moment at which a client hears of trouble.
"""

from __future__ import annotations

from typing import Final

GOOD_SECONDS: Final = 5.0
RECIPIENTS_MAX: Final = 10_000


class GoodRecipients:
    """Remembers for ``GOOD_SECONDS`` who was good; at most ``RECIPIENTS_MAX``, of which the oldest go first.

    Times are seconds of one monotonic clock.
    """

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def note(self, address: str, now: float) -> None:
        """A recipient was checked, or got their mail."""
        self._until.pop(address, None)  # so that the oldest stand in front
        self._until[address] = now + GOOD_SECONDS
        if len(self._until) > RECIPIENTS_MAX:
            del self._until[next(iter(self._until))]

    def forget(self, address: str) -> None:
        """There was trouble with a recipient."""
        self._until.pop(address, None)

    def knows(self, address: str, now: float) -> bool:
        """Whether a recipient was good a moment ago."""
        return self._until.get(address, now) > now
