"""Cuts a stream of octets into lines, one at a time, so that whoever reads may change its mind between two lines.

A line ends at LF; one CR before it belongs to the line end. Bare LF is accepted because people test servers with tools
that send it, and because it cannot hide anything here: no other server reads the same octets and could cut them
differently. A CR anywhere else stays in the line, for the protocol to refuse.
"""

from __future__ import annotations


class LineTooLongError(Exception):
    """A line passed its limit. It is discarded up to its end; the line after it comes next."""


class LineBuffer:
    """What has arrived and is not yet a line taken.

    Each octet is searched once however the stream was cut, and lines do not depend on the cuts. The buffer itself has
    no limit on complete lines waiting in it: who appends watches ``pending`` and stops reading. An incomplete line
    keeps at most ``octets_max`` octets.
    """

    __slots__ = ("_octets", "_searched", "_skipping", "_start")

    def __init__(self) -> None:
        self._octets = bytearray()
        self._start = 0
        self._searched = 0
        self._skipping = False

    @property
    def pending(self) -> int:
        """Octets that have arrived and were not yet taken, discarded ones not counted."""
        return len(self._octets) - self._start

    def append(self, octets: bytes) -> None:
        """Take what the transport received."""
        if self._start:
            del self._octets[: self._start]
            self._searched -= self._start
            self._start = 0
        self._octets += octets

    def next_line(self, octets_max: int) -> bytes | None:
        """Take the next line, without its line end.

        Args:
            octets_max: the longest line accepted, its line end counted; may differ from call to call.

        Returns:
            The line, or None until its end has arrived.

        Raises:
            LineTooLongError: once for each line over the limit, as soon as that is certain.
        """
        while True:
            end = self._octets.find(b"\n", self._searched)
            if end < 0:
                self._check_incomplete(octets_max)
                return None
            start, self._start, self._searched = self._start, end + 1, end + 1
            if self._skipping:
                self._skipping = False
                continue
            if self._start - start > octets_max:
                raise LineTooLongError
            if end > start and self._octets[end - 1] == 0x0D:
                end -= 1
            return bytes(self._octets[start:end])

    def clear(self) -> None:
        """Forget everything that has arrived (STLS: what came in the clear must not be read after the handshake)."""
        self._octets.clear()
        self._start = self._searched = 0
        self._skipping = False

    def _check_incomplete(self, octets_max: int) -> None:
        too_long = not self._skipping and self.pending >= octets_max
        if self._skipping or too_long:
            self.clear()
            self._skipping = True
        else:
            self._searched = len(self._octets)
        if too_long:
            raise LineTooLongError
