"""Deliveries in this process: the blocking delivery agent, in bulkheads.

One delivery of a user runs at a time; further ones wait their turn, for as long as whoever asks wants to wait. So the
bulkheads' few operations of one user are left to their sessions, and a user who gets much mail holds up nobody else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, Protocol, TypeVar

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from delivery.agent import Account, DeliveryAgent
from delivery.messages import Message
from serving.blocking import Bulkheads
from serving.errors import BulkheadFullError
from spool.errors import HomeUnavailableError
from spool.names import UserName

RETRY_SECONDS: Final = 0.05  # while sessions of the user have all their operations out

T = TypeVar("T")


class Deliveries(Protocol):
    """Says whether recipients are good, and delivers to them. Its Deferreds may be cancelled."""

    def check(self, address: str, sender: str | None) -> Deferred[None]:
        """See whether a message could be delivered; fails with the SpoolError that says why not."""

    def deliver(self, address: str, sender: str | None, message: Message) -> Deferred[None]:
        """Deliver a message; fires when it holds. Cancelled, it may still happen."""


class LocalDeliveries:
    """Delivers to users whose uid is this process's own.

    Args:
        agent: the delivery agent.
        own_uid: the uid of this process.
        bulkheads: where it runs.
        file_system_of: the mount point a path lies under, found without touching the path; may raise an OSError.
        clock: the reactor.
    """

    def __init__(
        self,
        agent: DeliveryAgent,
        own_uid: int,
        bulkheads: Bulkheads,
        file_system_of: Callable[[Path], str],
        clock: IReactorTime,
    ) -> None:
        self._agent = agent
        self._own_uid = own_uid
        self._bulkheads = bulkheads
        self._file_system_of = file_system_of
        self._clock = clock
        self._turns: dict[UserName, DeferredLock] = {}

    def check(self, address: str, sender: str | None) -> Deferred[None]:
        """``Deliveries.check``."""
        return Deferred.fromCoroutine(self._run(address, lambda account: self._agent.check(account, sender)))

    def deliver(self, address: str, sender: str | None, message: Message) -> Deferred[None]:
        """``Deliveries.deliver``."""
        return Deferred.fromCoroutine(
            self._run(address, lambda account: self._agent.deliver_to(account, sender, message))
        )

    async def _run(self, address: str, function: Callable[[Account], object]) -> None:
        # In the reactor's thread: two small reads of control files, which lie on the site's own file system.
        account = self._agent.resolve(address)
        recipient = account.recipient
        if recipient.uid != self._own_uid:
            raise HomeUnavailableError(f"{recipient.home}: LMTP serves uid {self._own_uid}, not {recipient.uid}")
        try:
            file_system = self._file_system_of(recipient.home)
        except OSError as error:
            raise HomeUnavailableError(f"{recipient.home}: {error.strerror}") from error
        turn = self._turns.setdefault(recipient.user, DeferredLock())
        await turn.acquire()
        try:
            await self._in_bulkhead(recipient.user, file_system, partial(function, account))
        finally:
            turn.release()
            if not turn.locked:
                self._turns.pop(recipient.user, None)

    async def _in_bulkhead(self, user: UserName, file_system: str, function: Callable[[], object]) -> None:
        while True:
            try:
                await self._bulkheads.run(user, file_system, function)
            except BulkheadFullError:
                await deferLater(self._clock, RETRY_SECONDS)
            else:
                return
