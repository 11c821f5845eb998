"""A connection's transport, as far as it is used here, and push-back: what a peer does not read must not pile up."""

# ruff: noqa: D102, N802, N803 - the names are Twisted's, and its interfaces describe them

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IPushProducer
from zope.interface import implementer


class StreamTransport(Protocol):
    """What Twisted's TCP, TLS and UNIX transports have in common, in its names. The last four need TCP or TLS."""

    def write(self, data: bytes) -> None: ...
    def loseConnection(self) -> None: ...
    def abortConnection(self) -> None: ...
    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None: ...
    def unregisterProducer(self) -> None: ...
    def pauseProducing(self) -> None: ...
    def resumeProducing(self) -> None: ...
    def setTcpNoDelay(self, enabled: bool) -> None: ...
    def setTcpKeepAlive(self, enabled: bool) -> None: ...
    def startTLS(self, contextFactory: IOpenSSLServerConnectionCreator) -> None: ...
    def getHandle(self) -> SSL.Connection: ...


@implementer(IPushProducer)
class Outlet:
    """The way out of one connection: a push producer to its transport, so that it hears when to pause.

    A transport asks to pause when about 64 KiB wait in it, and to resume when all of them are gone. Whoever may write
    again waits for that; then what waits in memory is at most 64 KiB and one reply.
    """

    def __init__(self, transport: StreamTransport, changed: Callable[[], None]) -> None:
        """Register with the transport; ``changed`` is called after each pause and each resumption."""
        self.paused = False
        self._transport = transport
        self._changed = changed
        self._waiting: Deferred[None] | None = None
        transport.registerProducer(self, True)

    def write(self, octets: bytes) -> None:
        """Send octets; may pause."""
        self._transport.write(octets)

    def drained(self) -> Deferred[None]:
        """Fires as soon as the outlet is not paused. One may wait at a time."""
        waiting: Deferred[None] = Deferred()
        if self.paused:
            self._waiting = waiting
        else:
            waiting.callback(None)
        return waiting

    def close(self) -> None:
        """Let the transport close the connection once what was written is gone. Called once."""
        self._transport.unregisterProducer()
        self._transport.loseConnection()

    # -- IPushProducer

    def pauseProducing(self) -> None:
        self.paused = True
        self._changed()

    def resumeProducing(self) -> None:
        self.paused = False
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)
        self._changed()

    def stopProducing(self) -> None:
        """The connection is gone; its protocol hears of it in ``connectionLost``."""
