"""Stored octets to wire form: CRLF line ends, nothing else changed.

A stored message may have LF or CRLF line ends, or both. On the wire every LF ends a line as CRLF (RFC 1939 section 11
counts it as two octets); a CR that no LF follows is an octet like any other. A message that is not empty and does not
end in a line end gets one more CRLF, because ``CRLF . CRLF`` must follow it (RFC 1939 section 3).

The result does not depend on how the octets are cut. No function here looks at single lines: one message of 1 GB
without a line end costs no more than any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class WireEncoder:
    """Turns one message's stored octets into wire form, piece by piece."""

    __slots__ = ("_after_cr", "_at_line_start")

    def __init__(self) -> None:
        self._at_line_start = True
        self._after_cr = False

    def encode(self, piece: bytes) -> bytes:
        """Return the wire form of the next piece: at most twice as long, empty only for an empty one."""
        if not piece:
            return b""
        # The LF of a CRLF that was cut between two pieces already has its CR.
        kept = self._after_cr and piece.startswith(b"\n")
        self._after_cr = piece.endswith(b"\r")
        self._at_line_start = piece.endswith(b"\n")
        lines = piece.replace(b"\r\n", b"\n") if b"\r" in piece else piece
        wire = lines.replace(b"\n", b"\r\n")
        return wire[1:] if kept else wire

    def finish(self) -> bytes:
        """Return what must follow the last piece: CRLF if the message lacks its last line end, else nothing."""
        return b"" if self._at_line_start else b"\r\n"


class WireCounter:
    """Counts the wire octets of one message without making them."""

    __slots__ = ("_after_cr", "_at_line_start", "_octets")

    def __init__(self) -> None:
        self._octets = 0
        self._at_line_start = True
        self._after_cr = False

    def add(self, piece: bytes) -> None:
        """Count the next piece of stored octets."""
        if not piece:
            return
        # The second search is the slower one and nearly always needless.
        complete = piece.count(b"\r\n") if b"\r" in piece else 0
        if self._after_cr and piece.startswith(b"\n"):
            complete += 1
        self._octets += len(piece) + piece.count(b"\n") - complete
        self._after_cr = piece.endswith(b"\r")
        self._at_line_start = piece.endswith(b"\n")

    @property
    def octets(self) -> int:
        """The wire octets of all pieces so far, as if the message ended here."""
        return self._octets if self._at_line_start else self._octets + 2


def wire_octets(pieces: Iterable[bytes]) -> int:
    """Count the wire octets of a whole message: the length of all that ``wire_pieces`` yields for it."""
    counter = WireCounter()
    for piece in pieces:
        counter.add(piece)
    return counter.octets


def wire_pieces(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a whole message in wire form; no piece is empty."""
    encoder = WireEncoder()
    for piece in pieces:
        if wire := encoder.encode(piece):
            yield wire
    if end := encoder.finish():
        yield end
