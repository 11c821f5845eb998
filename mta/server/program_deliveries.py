"""Deliveries to users who share a uid and whose programs run as another account.

A delivery begins in the bulkheads, where it takes no longer than a disk. If the recipient's instructions run programs,
it ends there before a line is followed, and begins again in a thread outside of them, once the spawner has given it a
program process: a program may take long, and must hold up neither sessions nor other deliveries. How many such threads
there are the slots decide (``serving.program_admission``).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Final

from twisted.internet.defer import Deferred, DeferredSemaphore

from delivery.agent import DeliveryAgent
from delivery.engine import Run
from delivery.errors import ForwardingDeferredError, ProgramDeferredError
from delivery.messages import Message
from delivery.plans import Plan
from delivery.resolver import Account
from mta.server.deliveries import AccountDeliveries
from mta.server.endings import Ending
from mta.server.program_client import programs_over
from serving.spawner_client import SpawnerClient
from serving.threads import Raised, Threads

FORWARDS_MAX: Final = 32
"""So many deliveries of a worker that forward are under way at once, beside those that run programs, too."""


class ForwardsElsewhereError(ForwardingDeferredError):
    """The delivery forwards, and nothing of it was done: it has to begin again outside of the bulkheads."""


def forwards_elsewhere(plan: Plan) -> None:
    """``may_begin`` of a delivery agent in the bulkheads.

    Raises:
        ForwardsElsewhereError: the message is handed over to go elsewhere.
    """
    if plan.forwards:
        raise ForwardsElsewhereError("a message is handed over outside of the bulkheads")


class ProgramsElsewhereError(ProgramDeferredError):
    """The delivery runs programs, and nothing of it was done: it has to begin again where they can be run."""


def programs_elsewhere(account: Account) -> AbstractContextManager[Run]:
    """``programs_elsewhere`` of a delivery agent in the bulkheads.

    Raises:
        ProgramsElsewhereError: always.
    """
    raise ProgramsElsewhereError(f"{account.recipient.address}: programs are run outside of the bulkheads")


class ProgramDeliveries:
    """Deliveries in the bulkheads, or beside them where programs are run.

    Args:
        local: the bulkheads; its agent has ``programs_elsewhere`` and ``forwards_elsewhere``.
        agent: has ``programs_elsewhere``.
        spawner: gives sockets to program processes.
        threads: where deliveries with programs run.
        variables: of programs' environment, in addition to those of the recipient.
    """

    def __init__(
        self,
        local: AccountDeliveries,
        agent: DeliveryAgent,
        spawner: SpawnerClient,
        threads: Threads,
        variables: Mapping[bytes, bytes],
    ) -> None:
        self._local = local
        self._agent = agent
        self._spawner = spawner
        self._threads = threads
        self._variables = variables
        self._forwards = DeferredSemaphore(FORWARDS_MAX)

    def check(self, account: Account, sender: str | None) -> Deferred[None]:
        """``AccountDeliveries.check``."""
        return self._local.check(account, sender)

    def deliver(self, account: Account, sender: str | None, message: Message) -> Deferred[None]:
        """``AccountDeliveries.deliver``."""
        return Deferred.fromCoroutine(self._deliver(account, sender, message))

    async def _deliver(self, account: Account, sender: str | None, message: Message) -> None:
        try:
            try:
                await self._local.deliver(account, sender, message)
            except ForwardsElsewhereError:
                await self._forward(account, sender, message)
        except ProgramsElsewhereError:
            given = await self._spawner.programs(account.recipient.address)
            await self._in_thread(lambda: self._with_programs(given.end, account, sender, message))

    async def _forward(self, account: Account, sender: str | None, message: Message) -> None:
        await self._forwards.acquire()
        try:
            await self._in_thread(lambda: self._agent.deliver(account, sender, message))
        finally:
            self._forwards.release()

    def _with_programs(self, end: socket.socket, account: Account, sender: str | None, message: Message) -> None:
        with programs_over(end, account.programs.seconds, self._variables) as run:
            self._agent.deliver(account, sender, message, held=run)

    async def _in_thread(self, function: Callable[[], object]) -> None:
        """Run a function to its end, even if this is cancelled meanwhile: it reads the message."""
        outcomes: list[object] = []
        ended = Ending()

        def over(outcome: object) -> None:
            outcomes.append(outcome)
            ended.come()

        self._threads.run(function, over)
        await ended.wait()
        (outcome,) = outcomes
        if isinstance(outcome, Raised):
            raise outcome.error
