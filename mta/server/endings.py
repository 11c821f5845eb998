"""The end of something that cannot be called back, such as a function that runs in a thread."""

from __future__ import annotations

from contextlib import suppress

from twisted.internet.defer import CancelledError, Deferred


class Ending:
    """Comes once. One coroutine may wait for it, and does so however often it is cancelled meanwhile."""

    def __init__(self) -> None:
        self._has_come = False
        self._waiting: Deferred[None] | None = None

    def come(self) -> None:
        """It is over."""
        self._has_come = True
        if self._waiting is not None:
            self._waiting.callback(None)

    async def wait(self) -> None:
        """Return when it is over."""
        while not self._has_come:
            self._waiting = Deferred()
            with suppress(CancelledError):
                await self._waiting
