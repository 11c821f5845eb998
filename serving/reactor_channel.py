"""The channels of ``serving.channel`` for a process that runs a reactor."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReadWriteDescriptor
from zope.interface import implementer

from serving.channel import ChannelError, ChannelFullError, Frame, FrameDecoder, Outbox, receive_octets


@implementer(IReadWriteDescriptor)
class ReactorChannel:
    """One end of a channel, driven by a reactor. Lost means lost: it is never connected again.

    Args:
        reactor: an ``IReactorFDSet``.
        end: the socket; owned from now on.
        on_frame: called with each received frame.
        on_lost: called once, when the other end is gone or talks nonsense, but not after ``close``.
    """

    def __init__(
        self,
        reactor: Any,
        end: socket.socket,
        on_frame: Callable[[Frame], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._socket = end
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._decoder = FrameDecoder()
        self._outbox = Outbox()
        self._open = True
        end.setblocking(False)
        reactor.addReader(self)

    @property
    def open(self) -> bool:
        """Whether frames can still be sent."""
        return self._open

    def send(self, frame: Frame) -> None:
        """Send a frame as soon as the other end reads; its descriptor is duplicated and stays the caller's to close.

        A frame for a channel that is gone is dropped: ``on_lost`` has told, or ``close`` was our own wish.
        """
        if not self._open:
            return
        try:
            self._outbox.put(frame)
        except (ChannelFullError, OSError):
            self._lose()
        else:
            self.doWrite()

    def close(self) -> None:
        """Close the channel; what was not sent yet is dropped. May be called twice."""
        if not self._open:
            return
        self._open = False
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        self._outbox.close()
        self._decoder.close()
        self._socket.close()

    # -- what the reactor calls -----------------------------------------------------------------------------------

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def logPrefix(self) -> str:  # noqa: N802 - the name in Twisted
        """A name for the reactor's log."""
        return "channel"

    def doRead(self) -> None:  # noqa: N802 - the name in Twisted
        """Take in what has arrived."""
        try:
            octets, descriptors = receive_octets(self._socket)
            frames = self._decoder.feed(octets, descriptors)
        except BlockingIOError:
            return
        except (OSError, ChannelError):
            self._lose()
            return
        for frame in frames:
            if self._open:
                self._on_frame(frame)
            else:
                frame.discard()
        if not octets:
            self._lose()

    def doWrite(self) -> None:  # noqa: N802 - the name in Twisted
        """Send what the socket takes now, and ask to be called again for the rest."""
        try:
            sent = self._outbox.send(self._socket)
        except OSError:
            self._lose()
            return
        if sent:
            self._reactor.removeWriter(self)
        else:
            self._reactor.addWriter(self)

    def connectionLost(self, reason: object) -> None:  # noqa: N802, ARG002 - as in Twisted
        """The reactor found the descriptor unusable, or stops."""
        self._lose()

    def _lose(self) -> None:
        if self._open:
            self.close()
            self._on_lost()
