"""A session with a mail process, which has become its user: one request at a time, each with a time limit.

A process that does not answer in time is given up: its session fails, it is counted, and the spawner is asked to kill
it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from serving.channel import ChannelError, Frame
from serving.errors import BulkheadFullError, OperationTimedOutError
from serving.mail_dialogue import AnswerCollector
from serving.reactor_channel import ReactorChannel
from serving.spawner_client import MailSocket
from spool.errors import MailboxUnavailableError, SpoolError


class MailSession:
    """The dialogue with one mail process (``serving.mail_dialogue``).

    Args:
        reactor: runs in this process.
        mail_socket: leads to the mail process.
        operation_seconds: how long it may take for one request.
        hung: called when it takes longer.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, mail_socket: MailSocket, operation_seconds: float, hung: Callable[[], None]
    ) -> None:
        self._reactor = reactor
        self._kill = mail_socket.kill
        self._operation_seconds = operation_seconds
        self._hung = hung
        self._channel = ReactorChannel(reactor, mail_socket.end, self._receive, self._lost)
        self._answer: Deferred[Frame] | None = None
        self._collector = AnswerCollector()
        self._limit: IDelayedCall | None = None
        self._waiting: list[Deferred[None]] = []

    @property
    def open(self) -> bool:
        """Whether the process can still be asked."""
        return self._channel.open

    @property
    def busy(self) -> bool:
        """Whether a request is out."""
        return self._answer is not None

    def ask(self, request: Frame) -> Deferred[Frame]:
        """Send a request; fails with the SpoolError it fails with. Cancelled, it gives up the session."""
        if not self.open:
            return fail(MailboxUnavailableError("the mail process has ended"))
        if self.busy:
            return fail(BulkheadFullError("an operation is out"))
        answer: Deferred[Frame] = Deferred(lambda _: self.close())
        self._answer, self._collector = answer, AnswerCollector()
        self._limit = self._reactor.callLater(self._operation_seconds, self._overdue)
        self._channel.send(request)
        return answer

    def close(self) -> None:
        """Close the socket: the process closes the maildrop without committing. A request that is out fails."""
        self._channel.close()
        self._settle(MailboxUnavailableError("the session was closed"))

    def when_free(self) -> Deferred[None]:
        """Fires when no request is out: at once, or when it has been answered or given up."""
        free: Deferred[None] = Deferred()
        if self.busy:
            self._waiting.append(free)
        else:
            free.callback(None)
        return free

    def _receive(self, frame: Frame) -> None:
        frame.discard()
        outcome: Frame | SpoolError | None
        try:
            outcome = self._collector.add(frame)
        except SpoolError as error:
            outcome = error
        except ChannelError:
            self._log.error("a mail process sent what is not an answer: it is given up")
            self._channel.close()
            self._kill()
            outcome = MailboxUnavailableError("the mail process talks nonsense")
        if outcome is not None:
            self._settle(outcome)

    def _lost(self) -> None:
        self._settle(MailboxUnavailableError("the mail process has ended"))

    def _overdue(self) -> None:
        self._log.warn("a mail process does not answer: it is given up and killed")
        self._hung()
        self._channel.close()
        self._kill()
        self._settle(OperationTimedOutError("a mail process does not answer"))

    def _settle(self, outcome: Frame | SpoolError) -> None:
        answer, self._answer = self._answer, None
        if answer is None:
            return
        if self._limit is not None and self._limit.active():
            self._limit.cancel()
        if isinstance(outcome, SpoolError):
            answer.errback(outcome)
        else:
            answer.callback(outcome)
        waiting, self._waiting = self._waiting, []
        for free in waiting:
            free.callback(None)
