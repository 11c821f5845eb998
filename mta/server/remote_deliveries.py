"""Deliveries in processes that have become their users, for sites where every user has a uid of their own.

A question to such a process is an operation like one in a thread: the same limits hold, for a user and for a file
system, and a file system that hangs is known to hang (``serving.admission``). It leaves that lane when the process
begins to run programs or is to forward, which may take long while nothing is wrong with the file system.

Given up is a question that the lane's time is over for, or that is cancelled. The process is killed then, which ends
what it had not renamed yet and its programs; whether it was too late for that is logged.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from delivery.messages import Message
from delivery.resolver import Account
from mta.server.delivery_dialogue import OUT_OF_LANE, outcome_of, request
from mta.server.turns import UserTurns
from serving.channel import Frame
from serving.errors import OperationTimedOutError
from serving.log_text import SHOWN_OCTETS_MAX, one_word
from serving.reactor_channel import ReactorChannel
from serving.spawner_client import MailSocket, SpawnerClient
from serving.threads import Raised
from spool.errors import MailboxUnavailableError, SpoolError

_log: Final = Logger("lmtp")


class RemoteDeliveries:
    """Deliveries through the spawner (``mta.server.deliveries``).

    Args:
        reactor: runs in this process.
        spawner: gives sockets to delivery processes.
        turns: bulkheads with ``Asking`` for threads.
    """

    def __init__(self, reactor: Any, spawner: SpawnerClient, turns: UserTurns) -> None:
        self._reactor = reactor
        self._spawner = spawner
        self._turns = turns

    def check(self, account: Account, sender: str | None) -> Deferred[None]:
        """``Deliveries.check``."""
        return Deferred.fromCoroutine(self._ask(account, partial(request, "check", sender)))

    def deliver(self, account: Account, sender: str | None, message: Message) -> Deferred[None]:
        """``Deliveries.deliver``."""
        return Deferred.fromCoroutine(self._ask(account, partial(_to_deliver, sender, message)))

    async def _ask(self, account: Account, asked: Callable[[], Frame]) -> None:
        question = _Question(self._reactor, self._spawner, account, asked)
        try:
            await self._turns.run(account.recipient, question.ask)
            await question.answer
        except (CancelledError, OperationTimedOutError):
            question.give_up()
            raise


def _to_deliver(sender: str | None, message: Message) -> Frame:
    return request("deliver", sender, message.read_only())


class Asking:
    """``serving.threads.Threads`` whose functions return a Deferred: the operation is over when it fires."""

    def run(self, function: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Call the function now, in this thread."""
        asked: Deferred[Any] = function()
        asked.addCallbacks(done, lambda failure: done(Raised(_error_of(failure))))


def _error_of(failure: Failure) -> BaseException:
    assert failure.value is not None, "it has an error"
    return failure.value


class _Question:
    """One question to one delivery process.

    Attributes:
        answer: fires when it is answered; fails with a SpoolError.
    """

    def __init__(self, reactor: Any, spawner: SpawnerClient, account: Account, asked: Callable[[], Frame]) -> None:
        self.answer: Deferred[None] = Deferred()
        self._reactor = reactor
        self._spawner = spawner
        self._account = account
        self._asked = asked
        self._opening: Deferred[MailSocket] | None = None
        self._out_of_lane: Deferred[None] = Deferred()
        self._kill: Callable[[], None] | None = None
        self._given_up = False

    def ask(self) -> Deferred[None]:
        """Ask. Fires when the process leaves the lane, has answered, or is gone; fails where none was to be had."""
        self._out_of_lane = Deferred()
        self._opening = self._spawner.deliver(self._account.recipient.address)
        self._opening.addCallbacks(self._opened, self._out_of_lane.errback)
        return self._out_of_lane

    def give_up(self) -> None:
        """Nobody wants the answer any more: have the process killed. It may be done all the same."""
        self._given_up = True
        if self._kill is not None:
            self._kill()
        elif self._opening is not None:
            self._opening.cancel()

    def _opened(self, mail_socket: MailSocket) -> None:
        self._kill = mail_socket.kill
        channel = ReactorChannel(
            self._reactor, mail_socket.end, lambda frame: self._receive(channel, frame), self._lost
        )
        try:
            asked = self._asked()
        except OSError as error:
            channel.close()
            self._end(MailboxUnavailableError(f"a delivery process cannot be asked: {error.strerror}"))
            return
        channel.send(asked)
        asked.discard()

    def _receive(self, channel: ReactorChannel, frame: Frame) -> None:
        frame.discard()
        if frame.message == OUT_OF_LANE.message:
            self._leave_lane()
            return
        channel.close()
        self._end(outcome_of(frame))

    def _lost(self) -> None:
        self._end(MailboxUnavailableError("the delivery process has ended"))

    def _end(self, outcome: SpoolError | None) -> None:
        if self._given_up:
            if outcome is None:
                _log.warn(
                    "given up, and delivered all the same: recipient={recipient}",
                    recipient=one_word(self._account.recipient.address[:SHOWN_OCTETS_MAX]),
                )
        elif outcome is None:
            self.answer.callback(None)
        else:
            self.answer.errback(outcome)
        self._leave_lane()

    def _leave_lane(self) -> None:
        if not self._out_of_lane.called:
            self._out_of_lane.callback(None)
