"""Framed messages between our own processes: one codec, and its blocking flavour.

A frame is a JSON object, perhaps a body of plain octets (mail, an encoded login request), perhaps one file descriptor.
On the wire (a UNIX stream socket) it is a header of nine octets, the JSON, then the body::

    descriptors (1) | JSON octets (4) | body octets (4) | JSON | body

The kernel delivers a descriptor with the octets it was sent with, never later, so when a frame is whole its descriptor
has arrived. ``serving.reactor_channel`` is the same for the reactor. No Twisted here: the supervisor and the spawner,
which fork, import this module.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from array import array
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Self

JSON_OCTETS_MAX: Final = 64 * 1024
BODY_OCTETS_MAX: Final = 1024 * 1024
READ_OCTETS: Final = 64 * 1024
# One recvmsg may return the descriptors of several frames; more than this many are never under way at once.
DESCRIPTORS_PER_READ: Final = 16
# A peer process that does not read is hung; what it was to be told is not kept without end.
UNSENT_OCTETS_MAX: Final = 16 * 1024 * 1024
_HEADER: Final = struct.Struct("!BII")


class ChannelError(Exception):
    """What came over a channel is not a frame, or the channel is gone. The channel is of no further use."""


class ChannelFullError(ChannelError):
    """The other end does not read: a frame could not be sent at once."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. ``body`` and ``message`` may hold credentials or mail, so neither is in the repr.

    ``descriptor`` belongs to whoever holds the frame: a received one must be used or closed by its receiver.
    """

    message: Mapping[str, Any] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    descriptor: int | None = None

    def text(self, key: str) -> str:
        """Return the text under ``key``.

        Raises:
            ChannelError: there is none.
        """
        value = self.message.get(key)
        if not isinstance(value, str):
            raise ChannelError(f"frame without text {key!r}")
        return value

    def number(self, key: str) -> int:
        """Return the whole number under ``key``.

        Raises:
            ChannelError: there is none.
        """
        value = self.message.get(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise ChannelError(f"frame without number {key!r}")
        return value

    def numbers(self, key: str) -> tuple[int, ...]:
        """Return the list of whole numbers under ``key``.

        Raises:
            ChannelError: there is none.
        """
        values = self.message.get(key)
        if not isinstance(values, list) or not all(type(value) is int for value in values):
            raise ChannelError(f"frame without numbers {key!r}")
        return tuple(values)

    def discard(self) -> None:
        """Close the descriptor of a frame nobody wants."""
        if self.descriptor is not None:
            os.close(self.descriptor)


def encode(frame: Frame) -> bytes:
    """Turn a frame into octets; its descriptor must be sent along with the first of them.

    Raises:
        ChannelError: the frame is over a limit.
    """
    text = json.dumps(dict(frame.message), separators=(",", ":")).encode()
    if len(text) > JSON_OCTETS_MAX or len(frame.body) > BODY_OCTETS_MAX:
        raise ChannelError("frame over its limit")
    return b"".join((_HEADER.pack(frame.descriptor is not None, len(text), len(frame.body)), text, frame.body))


class FrameDecoder:
    """Puts frames together again from however the octets were cut. Holds at most one unfinished frame."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._descriptors: deque[int] = deque()

    def feed(self, octets: bytes, descriptors: Iterable[int] = ()) -> list[Frame]:
        """Take what was read; return the frames that are whole now.

        Raises:
            ChannelError: not a frame, a limit exceeded, or descriptors that belong to no frame; all descriptors that
                were not yet handed out are closed.
        """
        self._buffer += octets
        self._descriptors.extend(descriptors)
        frames: list[Frame] = []
        try:
            while (frame := self._next()) is not None:
                frames.append(frame)
            if self._descriptors and not self._buffer:
                raise ChannelError("descriptor without a frame")  # noqa: TRY301 - one clean-up for all
        except ChannelError:
            for frame in frames:
                frame.discard()
            self.close()
            raise
        return frames

    def close(self) -> None:
        """Forget what is unfinished and close its descriptors."""
        self._buffer.clear()
        while self._descriptors:
            os.close(self._descriptors.popleft())

    def _next(self) -> Frame | None:
        if len(self._buffer) < _HEADER.size:
            return None
        carried, text_octets, body_octets = _HEADER.unpack_from(self._buffer)
        if carried > 1 or text_octets > JSON_OCTETS_MAX or body_octets > BODY_OCTETS_MAX:
            raise ChannelError("not a frame header")
        body_start = _HEADER.size + text_octets
        end = body_start + body_octets
        if len(self._buffer) < end:
            return None
        message = _object(bytes(self._buffer[_HEADER.size : body_start]))
        body = bytes(self._buffer[body_start:end])
        if carried and not self._descriptors:
            raise ChannelError("frame without its descriptor")
        del self._buffer[:end]
        return Frame(message, body, self._descriptors.popleft() if carried else None)


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ChannelError("frame is not JSON") from error
    if not isinstance(value, dict):
        raise ChannelError("frame is not a JSON object")
    return value


class Outbox:
    """Frames that a socket which does not block has not taken yet, with duplicates of their descriptors."""

    def __init__(self) -> None:
        self._unsent: deque[tuple[memoryview, int | None]] = deque()
        self._octets = 0

    def put(self, frame: Frame) -> None:
        """Take a frame; its descriptor stays the caller's to close.

        Raises:
            ChannelFullError: so much waits already that the other end must hang.
            ChannelError: the frame is over a limit.
            OSError: no descriptor to be had now.
        """
        octets = encode(frame)
        if self._octets + len(octets) > UNSENT_OCTETS_MAX:
            raise ChannelFullError("the other end does not read")
        descriptor = None if frame.descriptor is None else os.dup(frame.descriptor)
        self._unsent.append((memoryview(octets), descriptor))
        self._octets += len(octets)

    def send(self, end: socket.socket) -> bool:
        """Send what the socket takes now; whether that was all.

        Raises:
            OSError: the other end is gone.
        """
        try:
            while self._unsent:
                self._send_first(end)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Forget what was not sent, and close its descriptors."""
        close_all(descriptor for _, descriptor in self._unsent if descriptor is not None)
        self._unsent.clear()
        self._octets = 0

    def _send_first(self, end: socket.socket) -> None:
        octets, descriptor = self._unsent[0]
        sent = send_octets(end, octets, descriptor, socket.MSG_DONTWAIT)
        if descriptor is not None:
            os.close(descriptor)
        self._octets -= sent
        if sent == len(octets):
            self._unsent.popleft()
        else:
            self._unsent[0] = (octets[sent:], None)


class Channel:
    """A channel for plain blocking code, over one end of a UNIX stream socket pair, which it owns."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._decoder = FrameDecoder()
        self._ready: deque[Frame] = deque()
        self._outbox = Outbox()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """The descriptor, for ``select`` and for passing on."""
        return self._socket.fileno()

    def detach(self) -> int:
        """Give the descriptor away; the channel is of no further use."""
        return self._socket.detach()

    def send(self, frame: Frame) -> None:
        """Send a frame whole; blocks while the other end does not read. The frame's descriptor stays ours to close.

        Raises:
            ChannelError: the other end is gone.
        """
        octets = encode(frame)
        try:
            sent = self._sendmsg(octets, frame.descriptor)
            if sent < len(octets):
                # Never an empty rest: a peer that has what it wants may be gone, and this would fail for nothing.
                self._socket.sendall(memoryview(octets)[sent:])
        except OSError as error:
            raise ChannelError("the other end is gone") from error

    def send_now(self, frame: Frame) -> None:
        """Send a small frame without waiting.

        Raises:
            ChannelFullError: the other end has not read what was sent before; the channel may hold half a frame now
                and is of no further use.
            ChannelError: the other end is gone.
        """
        octets = encode(frame)
        try:
            sent = self._sendmsg(octets, frame.descriptor, socket.MSG_DONTWAIT)
        except BlockingIOError as error:
            raise ChannelFullError("the other end does not read") from error
        except OSError as error:
            raise ChannelError("the other end is gone") from error
        if sent < len(octets):
            raise ChannelFullError("the other end does not read")

    def send_soon(self, frame: Frame) -> bool:
        """Send a frame, now or by calls of ``flush``; whether it is sent. Not to be mixed with the other ways.

        Raises:
            ChannelError: the other end is gone, or has not read for so long that it hangs.
            OSError: no descriptor to be had now.
        """
        self._outbox.put(frame)
        return self.flush()

    def flush(self) -> bool:
        """Send what waits, as far as the other end reads; whether that was all.

        Raises:
            ChannelError: the other end is gone.
        """
        try:
            return self._outbox.send(self._socket)
        except OSError as error:
            raise ChannelError("the other end is gone") from error

    def receive(self) -> Frame | None:
        """Wait for the next frame; None when the other end has closed.

        Raises:
            ChannelError: not a frame, or cut off in the middle of one.
        """
        while not self._ready:
            octets, descriptors = self._recvmsg(0)
            if not octets:
                return None
            self._ready.extend(self._decoder.feed(octets, descriptors))
        return self._ready.popleft()

    def receive_now(self) -> Sequence[Frame]:
        """Return what has arrived, without waiting: call it when ``select`` says so.

        Raises:
            ChannelError: the other end has closed, or sent what is not a frame.
        """
        try:
            octets, descriptors = self._recvmsg(socket.MSG_DONTWAIT)
        except BlockingIOError:
            return ()
        if not octets:
            raise ChannelError("the other end has closed")
        return self._decoder.feed(octets, descriptors)

    def close(self) -> None:
        """Close the socket and every descriptor that was received but not taken. May be called twice."""
        while self._ready:
            self._ready.popleft().discard()
        self._decoder.close()
        self._outbox.close()
        self._socket.close()

    def _sendmsg(self, octets: bytes, descriptor: int | None, flags: int = 0) -> int:
        return send_octets(self._socket, octets, descriptor, flags)

    def _recvmsg(self, flags: int) -> tuple[bytes, list[int]]:
        try:
            return receive_octets(self._socket, flags)
        except BlockingIOError:
            raise
        except ConnectionResetError:
            return b"", []  # the other end closed before it had read all: an end all the same
        except OSError as error:
            raise ChannelError("the channel cannot be read") from error


def receive_octets(end: socket.socket, flags: int = 0) -> tuple[bytes, list[int]]:
    """Read what has arrived, with its descriptors, which are closed on exec.

    Raises:
        ChannelError: there were more descriptors than any sender of ours has under way.
        OSError: nothing can be read.
    """
    # Not socket.recv_fds: in Python 3.11 it ignores its flags.
    space = socket.CMSG_SPACE(DESCRIPTORS_PER_READ * array("i").itemsize)
    octets, ancillary, outcome, _ = end.recvmsg(READ_OCTETS, space, flags | socket.MSG_CMSG_CLOEXEC)
    descriptors = array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    if outcome & socket.MSG_CTRUNC:
        close_all(descriptors)
        raise ChannelError("descriptors were lost on the way")
    return octets, list(descriptors)


def send_octets(end: socket.socket, octets: bytes | memoryview, descriptor: int | None, flags: int = 0) -> int:
    """Send what the socket takes of ``octets``, with a descriptor on the first of them; return how many it took.

    Raises:
        OSError: it takes nothing.
    """
    if descriptor is None:
        return end.send(octets, flags)
    # Not socket.send_fds: in Python 3.11 it ignores its flags.
    return end.sendmsg([octets], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [descriptor]))], flags)


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """A connected pair of UNIX stream sockets, closed on exec."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)


def close_all(descriptors: Iterable[int]) -> None:
    """Close descriptors, whatever state they are in."""
    for descriptor in descriptors:
        with suppress(OSError):
            os.close(descriptor)
