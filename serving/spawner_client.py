"""Asks the spawner for sockets to mail processes (``serving.spawner`` is the other end)."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from serving.channel import ChannelError, Frame
from serving.errors import BulkheadFullError
from serving.reactor_channel import ReactorChannel
from spool.errors import MailboxUnavailableError, SpoolError

ANSWER_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class MailSocket:
    """A socket to a mail process, and how to have that killed should it hang."""

    end: socket.socket
    kill: Callable[[], None]


@dataclass(slots=True, eq=False)
class _Request:
    answer: Deferred[MailSocket]
    limit: IDelayedCall


class SpawnerClient:
    """The present spawner. What was asked of one that is gone fails; the ticket is spent."""

    _log = Logger()

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._channel: ReactorChannel | None = None
        self._numbers = itertools.count(1)
        self._requests: dict[int, _Request] = {}

    def connect(self, end: socket.socket) -> None:
        """Use a new spawner from now on; the socket is ours."""
        self._lose()
        self._channel = ReactorChannel(self._reactor, end, self._receive, self._lose)

    def open(self, ticket: bytes) -> Deferred[MailSocket]:
        """Have a mail process serve the ticket's user; fails with MailboxUnavailableError.

        It fails with BulkheadFullError while there are too many mail processes.
        """
        return self._ask({}, ticket)

    def deliver(self, address: str) -> Deferred[MailSocket]:
        """Have a delivery process serve whoever the address belongs to; fails as ``open`` does."""
        return self._ask({"address": address}, b"")

    def programs(self, address: str) -> Deferred[MailSocket]:
        """Have a process run the programs of whoever the address belongs to; fails as ``open`` does."""
        return self._ask({"programs_of": address}, b"")

    def _ask(self, message: Mapping[str, object], body: bytes) -> Deferred[MailSocket]:
        channel = self._channel
        if channel is None:
            return fail(MailboxUnavailableError("there is no spawner now"))
        number = next(self._numbers)
        answer: Deferred[MailSocket] = Deferred(partial(self._cancelled, number))
        limit = self._reactor.callLater(ANSWER_SECONDS, self._fail, number, "the spawner does not answer")
        self._requests[number] = _Request(answer, limit)
        channel.send(Frame({**message, "number": number}, body))
        return answer

    def close(self) -> None:
        """Leave the spawner."""
        self._lose()

    def _receive(self, frame: Frame) -> None:
        try:
            number = frame.number("number")
        except ChannelError:
            frame.discard()
            self._log.error("the spawner sent what is not an answer: its channel is closed")
            self._lose()
            return
        if frame.descriptor is None:
            kind = BulkheadFullError if frame.message.get("full") is True else MailboxUnavailableError
            self._fail(number, f"the spawner refuses: {frame.message.get('refused')}", kind)
            return
        end = socket.socket(fileno=frame.descriptor)
        request = self._forget(number)
        if request is None:
            end.close()  # nobody waits any more; the mail process sees that
            return
        channel = self._channel
        assert channel is not None
        # Over the channel of the spawner that gave it: another one numbers its own.
        request.answer.callback(MailSocket(end, lambda: channel.send(Frame({"number": number, "kill": True}))))

    def _fail(self, number: int, why: str, kind: type[SpoolError] = MailboxUnavailableError) -> None:
        if (request := self._forget(number)) is not None:
            request.answer.errback(kind(why))

    def _cancelled(self, number: int, answer: Deferred[MailSocket]) -> None:
        del answer  # it fails with CancelledError by itself
        self._forget(number)

    def _forget(self, number: int) -> _Request | None:
        request = self._requests.pop(number, None)
        if request is not None and request.limit.active():
            request.limit.cancel()
        return request

    def _lose(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()
        for number in tuple(self._requests):
            self._fail(number, "the spawner is gone")
