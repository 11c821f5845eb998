"""Deliveries of one site, by whoever may do them: this process where a recipient's uid is its own, else another."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred, fail

from delivery.agent import DeliveryAgent
from delivery.messages import Message
from delivery.resolver import Account
from mta.server.turns import UserTurns
from serving.errors import OperationTimedOutError
from spool.errors import SpoolError


class Deliveries(Protocol):
    """Says whether recipients are good, and delivers to them. Its Deferreds may be cancelled."""

    def check(self, address: str, sender: str | None) -> Deferred[None]:
        """See whether a message could be delivered; fails with the SpoolError that says why not."""

    def deliver(self, address: str, sender: str | None, message: Message) -> Deferred[None]:
        """Deliver a message; fires when it holds. Cancelled, it may still happen.

        It does not fire before nothing reads the message any more, whatever becomes of it.
        """


class AccountDeliveries(Protocol):
    """The same for a recipient who has been looked up."""

    def check(self, account: Account, sender: str | None) -> Deferred[None]:
        """``Deliveries.check``."""

    def deliver(self, account: Account, sender: str | None, message: Message) -> Deferred[None]:
        """``Deliveries.deliver``."""


class SiteDeliveries:
    """Looks recipients up, and leaves each to whoever can become them.

    Args:
        resolve: says who controls an address. Called in the reactor's thread: two small reads of control files, which
            lie on the site's own file system.
        own_uid: the uid of this process.
        local: for recipients of that uid.
        remote: for all others.
    """

    def __init__(
        self,
        resolve: Callable[[str], Account],
        own_uid: int,
        local: AccountDeliveries,
        remote: AccountDeliveries,
    ) -> None:
        self._resolve = resolve
        self._own_uid = own_uid
        self._local = local
        self._remote = remote

    def check(self, address: str, sender: str | None) -> Deferred[None]:
        """``Deliveries.check``."""
        return self._with_account(address, lambda account: self._of(account).check(account, sender))

    def deliver(self, address: str, sender: str | None, message: Message) -> Deferred[None]:
        """``Deliveries.deliver``."""
        return self._with_account(address, lambda account: self._of(account).deliver(account, sender, message))

    def _with_account(self, address: str, function: Callable[[Account], Deferred[None]]) -> Deferred[None]:
        try:
            account = self._resolve(address)
        except SpoolError as error:
            return fail(error)
        return function(account)

    def _of(self, account: Account) -> AccountDeliveries:
        return self._local if account.recipient.uid == self._own_uid else self._remote


class LocalDeliveries:
    """Deliveries in this process: the blocking delivery agent, in bulkheads.

    Args:
        agent: the delivery agent.
        turns: the bulkheads.
    """

    def __init__(self, agent: DeliveryAgent, turns: UserTurns) -> None:
        self._agent = agent
        self._turns = turns

    def check(self, account: Account, sender: str | None) -> Deferred[None]:
        """``Deliveries.check``."""
        checked = self._turns.run(account.recipient, partial(self._agent.check, account, sender))
        return Deferred.fromCoroutine(checked)

    def deliver(self, account: Account, sender: str | None, message: Message) -> Deferred[None]:
        """``Deliveries.deliver``."""
        return Deferred.fromCoroutine(self._deliver(account, sender, message))

    async def _deliver(self, account: Account, sender: str | None, message: Message) -> None:
        delivered = False

        def deliver() -> None:
            nonlocal delivered
            self._agent.deliver(account, sender, message)
            delivered = True

        try:
            # A thread that hangs still reads the message when the bulkheads have given it up.
            await self._turns.run(account.recipient, deliver, to_its_end=True)
        except (CancelledError, OperationTimedOutError):
            if not delivered:
                raise
