"""A network worker: accepts on inherited sockets and speaks the listeners' protocols; holds no privilege.

A worker is ready once it has the authenticator's first offer and accepts. To drain, it stops accepting, has its
services close the sessions that are not logged in, and ends when the others have ended or their time is up.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from twisted.internet.defer import DeferredList, maybeDeferred
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from serving.authentication import AuthenticationClient
from serving.authenticator_client import AuthenticatorClient
from serving.children import ChildContext
from serving.sockets import ListenerPlan
from serving.supervision import Supervision, install_reactor
from serving.unix_port import InheritedUnixPort

AUTHENTICATOR_ROLE: Final = "authenticator"
LOOK_SECONDS: Final = 0.1  # how often open sessions are counted, only while draining or full


@dataclass(frozen=True, slots=True)
class Service:
    """What serves one listener.

    ``factory`` makes its protocols. ``drain`` closes the sessions that are not logged in; the others end as their
    clients like.
    """

    factory: IProtocolFactory
    drain: Callable[[], None]


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What services are built from."""

    reactor: Any
    serial: int
    authentication: AuthenticationClient
    ask_replacement: Callable[[str], None]


ServiceBuilder: TypeAlias = Callable[[ListenerPlan], Service]


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What the composition root builds inside a worker.

    ``builders`` are by protocol name. ``open_sessions`` counts the open connections of all services, from
    ``buildProtocol`` on. ``introduced`` takes the channels to children that are not the authenticator, by role.
    ``counters`` gives the figures for ``mailspool status``.
    """

    builders: Mapping[str, ServiceBuilder]
    open_sessions: Callable[[], int]
    counters: Callable[[], Mapping[str, Any]]
    introduced: Callable[[str, socket.socket], None]


def run_worker(build: Callable[[WorkerContext], WorkerParts], connections_max: int, child: ChildContext) -> int:
    """Be a worker until the supervisor says otherwise.

    Args:
        build: makes the parts; called before the reactor runs.
        connections_max: with so many open connections no more are accepted; they wait in the kernel's queue, or another
            worker takes them. A burst may go over it by what one round of accepts takes.
        child: what the supervisor gave us.
    """
    reactor = install_reactor()
    worker = _Worker(reactor, connections_max, child)
    worker.start(build)
    reactor.run()
    return 0


class _Worker:
    _log = Logger()

    def __init__(self, reactor: Any, connections_max: int, child: ChildContext) -> None:
        self._reactor = reactor
        self._connections_max = connections_max
        self._child = child
        self._authenticator = AuthenticatorClient(reactor)
        self._services: list[Service] = []
        self._ports: list[Any] = []
        self._accepting = False
        self._draining = False
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor

    def start(self, build: Callable[[WorkerContext], WorkerParts]) -> None:
        self._supervision = Supervision(
            self._reactor, self._child, introduced=self._introduced, drain=self._drain, count=self._count
        )
        self._parts = parts = build(
            WorkerContext(self._reactor, self._child.serial, self._authenticator, self._supervision.ask_replacement)
        )
        self._services = [parts.builders[listener.plan.protocol](listener.plan) for listener in self._child.listeners]
        # Not before: a connection that is accepted now would find that nobody can log in.
        self._authenticator.when_offered().addCallback(self._open).addErrback(self._cannot_open)

    def _open(self, _: None) -> None:
        if self._draining:
            return
        for listener, service in zip(self._child.listeners, self._services, strict=True):
            listening = listener.socket
            gate = _Gate(service.factory, self._opened)
            self._ports.append(_adopted(self._reactor, listening, gate))
            listening.close()  # the port has its own copy, which must be the last one when it stops listening
        self._accepting = True
        self._supervision.report_ready()

    def _cannot_open(self, failure: Failure) -> None:
        self._log.failure("a listener cannot be served", failure)
        self._supervision.end()

    def _introduced(self, role: str, serial: int, end: socket.socket) -> None:
        del serial
        if role == AUTHENTICATOR_ROLE:
            self._authenticator.connect(end)
        else:
            self._parts.introduced(role, end)

    def _count(self) -> Mapping[str, Any]:
        return {"open_sessions": self._parts.open_sessions(), **self._parts.counters()}

    # -- full, and draining ---------------------------------------------------------------------------------------

    def _opened(self) -> None:
        if self._accepting and self._parts.open_sessions() >= self._connections_max:
            self._log.warn(
                "{connections} connections are open: no more are accepted", connections=self._connections_max
            )
            self._accepting = False
            for port in self._ports:
                port.stopReading()
            self._look_regularly()

    def _drain(self, seconds: float) -> None:
        if not self._draining:
            self._draining = True
            DeferredList([maybeDeferred(port.stopListening) for port in self._ports]).addCallback(self._drain_services)
            self._look_regularly()
        self._reactor.callLater(max(0.0, seconds), self._supervision.end)

    def _drain_services(self, _: object) -> None:
        for service in self._services:
            service.drain()

    def _look_regularly(self) -> None:
        if not self._looking.running:
            self._looking.start(LOOK_SECONDS)

    def _look(self) -> None:
        if self._draining:
            if self._parts.open_sessions() == 0:
                self._supervision.end()
        elif self._parts.open_sessions() < self._connections_max:
            self._accepting = True
            for port in self._ports:
                port.startReading()
            self._looking.stop()


@implementer(IProtocolFactory)
class _Gate:
    """Passes connections to a factory and tells the worker of each."""

    def __init__(self, factory: IProtocolFactory, opened: Callable[[], None]) -> None:
        self._factory = factory
        self._opened = opened

    def doStart(self) -> None:  # noqa: N802 - the name in Twisted
        self._factory.doStart()

    def doStop(self) -> None:  # noqa: N802 - the name in Twisted
        self._factory.doStop()

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:  # noqa: N802 - the name in Twisted
        protocol = self._factory.buildProtocol(addr)
        self._opened()
        return protocol


def _adopted(reactor: Any, listening: socket.socket, factory: IProtocolFactory) -> Any:
    if listening.family == socket.AF_UNIX:
        return InheritedUnixPort.adopted(listening, factory, reactor)
    return reactor.adoptStreamPort(listening.fileno(), listening.family, factory)
