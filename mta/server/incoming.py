"""A message while it comes in: small ones in memory, what is more goes to a file, in a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from twisted.internet.defer import Deferred, succeed

from delivery.messages import IN_MEMORY_OCTETS, Message, MessageInput

HELD_OCTETS_MAX: Final = 256 * 1024
"""So much waits in memory for the thread that writes; with more the client has to wait."""

InThread: TypeAlias = Callable[[Callable[[], None]], Deferred[None]]
"""Calls a blocking function, which raises nothing, in a thread."""


class IncomingMessage:
    """Takes one message.

    Attributes:
        broken: why it could not be stored, None as long as it could. What comes after that is not stored either.
    """

    def __init__(self, in_thread: InThread) -> None:
        self.broken: OSError | None = None
        self._in_thread = in_thread
        self._input: MessageInput | None = None
        self._stored_octets = 0
        self._held: list[bytes] = []
        self._held_octets = 0
        self._last: Deferred[None] = succeed(None)

    @property
    def full(self) -> bool:
        """Whether what is held should be stored before more comes."""
        return self._held_octets > HELD_OCTETS_MAX

    def add(self, octets: bytes) -> None:
        """Take more of it."""
        self._held.append(octets)
        self._held_octets += len(octets)

    def store(self) -> Deferred[None]:
        """Store what is held, after what is being stored already."""
        stored: Deferred[None] = Deferred()
        before, self._last = self._last, Deferred()
        last = self._last
        pieces, self._held = self._held, []
        octets, self._held_octets = self._held_octets, 0

        def write(_: object) -> Deferred[None]:
            self._stored_octets += octets
            if self._stored_octets <= IN_MEMORY_OCTETS:
                self._write(pieces)
                return succeed(None)
            return self._in_thread(lambda: self._write(pieces))

        def written(_: object) -> None:
            stored.callback(None)
            last.callback(None)

        before.addCallback(write).addCallback(written)
        return stored

    def finish(self) -> Message | None:
        """Return the message, once all is stored; it is the caller's to close. None if it is ``broken``."""
        if self.broken is not None:
            return None
        assert self._input is not None, "made by the first store()"
        try:
            return self._input.finish()
        except OSError as error:
            self.broken = error
            return None

    def close(self) -> None:
        """Forget it, unless it was finished: as soon as no thread writes into its file any more."""
        self._last.addCallback(self._close)

    def _close(self, _: object) -> None:
        if self._input is not None:
            self._input.close()

    def _write(self, pieces: list[bytes]) -> None:
        if self.broken is not None:
            return
        try:
            if self._input is None:
                self._input = MessageInput()
            for piece in pieces:
                self._input.write(piece)
        except OSError as error:
            self.broken = error
