"""A child's end of its control channel, for children that run a reactor (``serving.children`` has the messages)."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from twisted.internet import epollreactor
from twisted.internet.error import ReactorNotRunning
from twisted.internet.main import installReactor
from twisted.logger import Logger

from serving.channel import ChannelError, Frame
from serving.children import READY, ChildContext, counters_report, replacement_request
from serving.reactor_channel import ReactorChannel

GROUP_SECONDS: Final = 0.5  # a SIGTERM that was for all has reached the supervisor, and its order to drain us, by then


def install_reactor() -> Any:
    """Install the epoll reactor in a freshly forked child and return it."""
    reactor = epollreactor.EPollReactor()  # type: ignore[no-untyped-call]
    installReactor(reactor)  # type: ignore[no-untyped-call]
    return reactor


class Supervision:
    """Listens to the supervisor and reports to it.

    SIGTERM, where it comes to this process alone, asks for a successor, so that one process can be exchanged by hand.
    When the control channel ends, so does the process: a child without its supervisor must not go on serving.

    Args:
        reactor: not running yet.
        child: what the supervisor gave us; its control channel is taken over.
        introduced: called with the role, the serial and the socket of another child; the socket is the callee's.
        drain: called with the seconds left, once or again with fewer.
        count: the figures for ``mailspool status``.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        child: ChildContext,
        *,
        introduced: Callable[[str, int, socket.socket], None],
        drain: Callable[[float], None],
        count: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._reactor = reactor
        self._introduced = introduced
        self._drain = drain
        self._count = count
        self._draining = False
        self._channel = ReactorChannel(reactor, socket.socket(fileno=child.control.detach()), self._receive, self.end)
        reactor.callWhenRunning(self._take_signals)

    def report_ready(self) -> None:
        """Tell the supervisor that the child does its work now."""
        self._channel.send(READY)

    def ask_replacement(self, reason: str) -> None:
        """Ask for a successor; this child serves on until the order to drain comes."""
        self._channel.send(replacement_request(reason))

    def end(self) -> None:
        """Stop the reactor, and with it the process. May be called again while it stops."""
        with suppress(ReactorNotRunning):
            self._reactor.stop()

    def _receive(self, frame: Frame) -> None:
        try:
            self._act(frame)
        except ChannelError:
            frame.discard()
            self._log.error("a message of the supervisor is not understood")

    def _act(self, frame: Frame) -> None:
        match frame.text("kind"):
            case "introduce" if frame.descriptor is not None:
                end = socket.socket(fileno=frame.descriptor)
                self._introduced(frame.text("role"), frame.number("serial"), end)
            case "drain":
                self._draining = True
                seconds = frame.message.get("seconds")
                self._drain(float(seconds) if isinstance(seconds, int | float) else 0.0)
            case "count":
                self._channel.send(counters_report(self._count()))
            case _:
                raise ChannelError("unknown kind")

    def _take_signals(self) -> None:
        # After the reactor has installed its own handlers, which would stop it at once, on SIGINT too.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: self._reactor.callFromThread(self._told_to_end))

    def _told_to_end(self) -> None:
        self._reactor.callLater(GROUP_SECONDS, self._ask_unless_draining)

    def _ask_unless_draining(self) -> None:
        if not self._draining:
            self.ask_replacement("it was sent SIGTERM")
