"""The authenticator's process: carries requests of workers to ``accounts.authenticator`` and its answers back.

The engine decides; this shell owns the channels, the clock and the processes that make slow checks. It holds no
thread, because it forks. Request frames hold a number and, as body, a request of ``accounts.wire``; the answer's frame
holds the same number. A frame without a number is an offer.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from accounts.attempts import Pending
from accounts.authenticator import Authenticator, Decision
from accounts.checks import CheckOutcome
from accounts.requests import AuthAnswer, Offer, RefusalReason, Refused
from accounts.wire import WireError, decode_request, encode_answer, encode_offer
from serving.channel import ChannelError, Frame
from serving.check_runner import CheckRunner
from serving.children import ChildContext
from serving.reactor_channel import ReactorChannel
from serving.supervision import Supervision, install_reactor

OFFER_SECONDS: Final = 1.0  # how soon workers learn of the first APOP secret or a new mechanism
SPAWNER_ROLE: Final = "spawner"

Clock: TypeAlias = Callable[[], float]


@dataclass(slots=True, eq=False)
class _Client:
    """A worker's connection; ``number`` names it to the engine."""

    number: int
    channel: ReactorChannel


class AuthenticatorShell:
    """Serves any number of workers.

    Args:
        reactor: runs in this process.
        authenticator: the engine.
        runner: makes the checks it asks for.
        clock: the clock of ``accounts.authenticator``.
    """

    _log = Logger()

    def __init__(self, reactor: Any, authenticator: Authenticator, runner: CheckRunner, clock: Clock) -> None:
        self._reactor = reactor
        self._authenticator = authenticator
        self._runner = runner
        self._clock = clock
        self._clients: dict[int, _Client] = {}
        self._last_number = 0
        self._offer: Offer = authenticator.offer()
        self._requests = 0
        self._on_idle: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin to look for changes of the offer."""
        looking = LoopingCall(self._look_for_changes)
        looking.clock = self._reactor
        looking.start(OFFER_SECONDS, now=False)

    def connect(self, end: socket.socket) -> None:
        """Serve a worker over a socket, which is ours from now on."""
        self._last_number += 1
        number = self._last_number
        channel = ReactorChannel(
            self._reactor, end, lambda frame: self._receive(client, frame), lambda: self._gone(client)
        )
        client = _Client(number, channel)
        self._clients[number] = client
        channel.send(_offer_frame(self._offer))

    def drain(self, on_idle: Callable[[], None]) -> None:
        """Call ``on_idle`` once no worker is connected."""
        self._on_idle = on_idle
        if not self._clients:
            on_idle()

    def counters(self) -> dict[str, int]:
        """Figures for ``mailspool status``."""
        return {"requests": self._requests, "workers": len(self._clients), **self._runner.counters()}

    def _receive(self, client: _Client, frame: Frame) -> None:
        frame.discard()
        try:
            number, request = frame.number("number"), decode_request(frame.body)
        except (ChannelError, WireError):
            # Our own workers send no such thing: somebody else has taken this one over, or it is of another version.
            self._log.error("a worker sent what is not a request: its channel is closed")
            client.channel.close()
            self._gone(client)
            return
        self._requests += 1
        self._decide(client, number, lambda: self._authenticator.receive(client.number, request, self._clock()))

    def _decide(self, client: _Client, number: int, decision_of: Callable[[], Decision]) -> None:
        try:
            decision = decision_of()
        except Exception:
            self._log.failure("the authenticator failed; answered as temporary")
            decision = Refused(RefusalReason.TEMPORARY)
        match decision:
            case None:
                pass
            case Pending(token, check):
                outcome: Deferred[CheckOutcome] = self._runner.run(check)
                outcome.addCallback(
                    lambda outcome: self._decide(
                        client, number, lambda: self._authenticator.finish(token, outcome, self._clock())
                    )
                )
            case answer:
                client.channel.send(_answer_frame(number, answer))

    def _gone(self, client: _Client) -> None:
        del self._clients[client.number]
        self._authenticator.client_gone(client.number)
        if self._on_idle is not None and not self._clients:
            self._on_idle()

    def _look_for_changes(self) -> None:
        try:
            offer = self._authenticator.offer()
        except Exception:
            self._log.failure("cannot tell what can be checked; the last offer stands")
            return
        if offer != self._offer:
            self._offer = offer
            for client in self._clients.values():
                client.channel.send(_offer_frame(offer))


@dataclass(frozen=True, slots=True)
class AuthenticatorParts:
    """What the composition root builds inside the authenticator's process.

    ``spawner_connected`` takes the channel to the spawner (sites with many uids).
    """

    authenticator: Authenticator
    runner: CheckRunner
    spawner_connected: Callable[[socket.socket], None]


def run_authenticator(build: Callable[[Any], AuthenticatorParts], clock: Clock, child: ChildContext) -> int:
    """Be the authenticator until the supervisor says otherwise.

    Args:
        build: makes the parts; called with the reactor before it runs.
        clock: the clock of ``accounts.authenticator``.
        child: what the supervisor gave us.
    """
    reactor = install_reactor()
    parts = build(reactor)
    shell = AuthenticatorShell(reactor, parts.authenticator, parts.runner, clock)

    def introduced(role: str, serial: int, end: socket.socket) -> None:
        del serial
        if role == SPAWNER_ROLE:
            parts.spawner_connected(end)
        else:
            shell.connect(end)

    def drain(seconds: float) -> None:
        reactor.callLater(max(0.0, seconds), supervision.end)
        shell.drain(supervision.end)

    supervision = Supervision(reactor, child, introduced=introduced, drain=drain, count=shell.counters)
    shell.start()
    reactor.callWhenRunning(supervision.report_ready)
    reactor.run()
    parts.runner.close()
    return 0


def _offer_frame(offer: Offer) -> Frame:
    return Frame(body=encode_offer(offer))


def _answer_frame(number: int, answer: AuthAnswer) -> Frame:
    return Frame({"number": number}, encode_answer(answer))
