"""Turns: in the bulkheads one delivery of a user runs at a time, and further ones wait.

They wait for as long as whoever asks wants to wait. So the bulkheads' few operations of one user are left to their
sessions, and a user who gets much mail holds up nobody else.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from twisted.internet.defer import CancelledError, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from delivery.environment import Recipient
from mta.server.endings import Ending
from serving.blocking import Bulkheads
from serving.errors import BulkheadFullError, OperationTimedOutError
from spool.errors import HomeUnavailableError
from spool.names import UserName

RETRY_SECONDS: Final = 0.05
"""While sessions of the user have all their operations out it is tried again, after twice as long each time."""
RETRY_SECONDS_MAX: Final = 2.0  # a thousand who try every 0.05 s, on a file system that hangs, take a whole core


class UserTurns:
    """Runs what is done for recipients.

    Args:
        bulkheads: where it runs.
        file_system_of: the mount point a path lies under, found without touching the path; may raise an OSError.
        clock: the reactor.
    """

    def __init__(self, bulkheads: Bulkheads, file_system_of: Callable[[Path], str], clock: IReactorTime) -> None:
        self._bulkheads = bulkheads
        self._file_system_of = file_system_of
        self._clock = clock
        self._turns: dict[UserName, DeferredLock] = {}

    async def run(self, recipient: Recipient, function: Callable[[], object], *, to_its_end: bool = False) -> None:
        """Run a function in the bulkheads when it is the recipient's turn.

        Args:
            recipient: whose turn.
            function: what to run.
            to_its_end: where the function has begun when it is given up, by the bulkheads or by a cancellation, keep
                the turn, and fail, only when it has returned: what it works with must stay as it is until then.

        Raises:
            SpoolError: it was not run, or not to its end in time; and whatever it raises.
        """
        try:
            file_system = self._file_system_of(recipient.home)
        except OSError as error:
            raise HomeUnavailableError(f"{recipient.home}: {error.strerror}") from error
        turn = self._turns.setdefault(recipient.user, DeferredLock())
        await turn.acquire()
        try:
            await self._in_bulkhead(recipient.user, file_system, function, to_its_end)
        finally:
            turn.release()
            if not turn.locked:
                self._turns.pop(recipient.user, None)

    async def _in_bulkhead(
        self, user: UserName, file_system: str, function: Callable[[], object], to_its_end: bool
    ) -> None:
        pause = RETRY_SECONDS
        while True:
            returned = Ending()
            try:
                await self._bulkheads.run(user, file_system, function, returned=returned.come)
            except BulkheadFullError:
                await deferLater(self._clock, pause)
                pause = min(2 * pause, RETRY_SECONDS_MAX)
            except (CancelledError, OperationTimedOutError):
                if to_its_end:
                    await returned.wait()
                raise
            else:
                return
