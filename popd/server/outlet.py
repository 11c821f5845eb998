"""Push-back: what a peer does not read must not pile up."""

# ruff: noqa: D102, N802 - the names are Twisted's, and its interfaces describe them

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from serving.transports import StreamTransport


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
