"""The channels of ``serving.channel`` for a process that runs a reactor."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IReadWriteDescriptor
from zope.interface import implementer

from serving.channel import ChannelError, Frame, FrameDecoder, close_all, encode, receive_octets, send_octets

# A peer process that does not read is hung; what it was to be told is not kept without end.
UNSENT_OCTETS_MAX: Final = 16 * 1024 * 1024


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
        self._unsent: deque[tuple[memoryview, int | None]] = deque()
        self._unsent_octets = 0
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
        octets = encode(frame)
        if self._unsent_octets + len(octets) > UNSENT_OCTETS_MAX:
            self._lose()
            return
        descriptor = None if frame.descriptor is None else os.dup(frame.descriptor)
        self._unsent.append((memoryview(octets), descriptor))
        self._unsent_octets += len(octets)
        self.doWrite()

    def close(self) -> None:
        """Close the channel; what was not sent yet is dropped. May be called twice."""
        if not self._open:
            return
        self._open = False
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        close_all(descriptor for _, descriptor in self._unsent if descriptor is not None)
        self._unsent.clear()
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
            while self._unsent:
                self._write_first()
        except BlockingIOError:
            self._reactor.addWriter(self)
        except OSError:
            self._lose()
        else:
            self._reactor.removeWriter(self)

    def connectionLost(self, reason: object) -> None:  # noqa: N802, ARG002 - as in Twisted
        """The reactor found the descriptor unusable, or stops."""
        self._lose()

    def _write_first(self) -> None:
        octets, descriptor = self._unsent[0]
        sent = send_octets(self._socket, octets, descriptor)
        if descriptor is not None:
            os.close(descriptor)
        self._unsent_octets -= sent
        if sent == len(octets):
            self._unsent.popleft()
        else:
            self._unsent[0] = (octets[sent:], None)

    def _lose(self) -> None:
        if self._open:
            self.close()
            self._on_lost()
