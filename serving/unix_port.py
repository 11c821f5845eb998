"""A UNIX listening socket that was inherited: its path belongs to whoever bound it.

Twisted's own port changes the mode of the path when it begins to listen, which a worker without rights may not. When it
stops, it removes the path and shuts the socket down, which would take both from the supervisor and the other workers.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.interfaces import IProtocolFactory
from twisted.python.failure import Failure


class InheritedUnixPort(unix.Port):
    """Accepts on a socket that listens already; made by ``adopted``."""

    _shouldShutdown = False  # noqa: N815 - Twisted's name; shutdown(2) acts on the socket of all processes

    @classmethod
    def adopted(cls, listening: socket.socket, factory: IProtocolFactory, reactor: Any) -> InheritedUnixPort:
        """Accept on a socket, which stays the caller's: the port has a copy of its own."""
        port = cls(listening.getsockname(), factory, reactor=reactor)
        port.socket = listening.dup()
        port.startListening()
        return port

    def startListening(self) -> None:  # noqa: N802 - the name in Twisted
        """Begin to accept, and leave the path as it is."""
        assert self.factory is not None, "given when it was made"
        self.factory.doStart()  # type: ignore[no-untyped-call]
        self.fileno = self.socket.fileno  # type: ignore[method-assign]
        self.connected = True
        self.numberAccepts = 100
        self.startReading()  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802 - the name in Twisted
        """Stop, and leave the path where it is."""
        tcp.Port.connectionLost(self, reason)  # type: ignore[no-untyped-call]
