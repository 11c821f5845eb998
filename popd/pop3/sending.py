"""Sending a message: dot-stuffing, the part TOP asks for, and the terminator, for any cutting into pieces.

Message pieces come in wire form, CRLF line ends included. A line begins after LF here: in wire form that is the LF of a
CRLF, and should a bare LF ever get through, clients that read lines by LF still cannot be shown a false end.
"""

from __future__ import annotations

from popd.pop3.replies import TERMINATOR


def status_line(octets: int, body_lines: int | None) -> bytes:
    """The first line of the reply to RETR (``body_lines`` None) or TOP.

    Args:
        octets: the message's size in wire octets.
        body_lines: as in ``SendMessage``.
    """
    return b"+OK %d octets\r\n" % octets if body_lines is None else b"+OK top of message follows\r\n"


def encode_whole(message: bytes, body_lines: int | None) -> bytes:
    """What follows the status line for a message at hand as a whole: stuffed octets and the terminator."""
    encoder = MessageEncoder(body_lines)
    return encoder.feed(message) + encoder.finish()


class MessageEncoder:
    """Turns the pieces of one message into the octets to send.

    ``feed`` each piece, stop early when ``done``, then send what ``finish`` returns.
    """

    __slots__ = ("_at_line_start", "_top", "done")

    def __init__(self, body_lines: int | None = None) -> None:
        """Begin a message.

        Args:
            body_lines: None for the whole message; else the header, the blank line, and so many lines of the body.
        """
        self._top = None if body_lines is None else _TopCutter(body_lines)
        self._at_line_start = True
        self.done = False
        """Whether nothing further will be sent, however much the message goes on."""

    def feed(self, piece: bytes) -> bytes:
        """Encode the next piece, which may be cut anywhere, between CR and LF too."""
        if self._top:
            piece = self._top.cut(piece)
            self.done = self._top.done
        if not piece:
            return b""
        stuffed = piece.replace(b"\n.", b"\n..")
        if self._at_line_start and piece.startswith(b"."):
            stuffed = b"." + stuffed
        self._at_line_start = piece.endswith(b"\n")
        return stuffed

    def finish(self) -> bytes:
        """The end of the reply; it completes a last line that has no line end."""
        return TERMINATOR if self._at_line_start else b"\r\n" + TERMINATOR


class _TopCutter:
    """Passes a header, the blank line and a number of body lines, and nothing after them."""

    __slots__ = ("_in_body", "_lines_left", "_seen", "done")

    def __init__(self, body_lines: int) -> None:
        self._lines_left = body_lines
        self._in_body = False
        # The last octets before the piece, where a blank line may have begun; a message may begin with one.
        self._seen = b"\n"
        self.done = False

    def cut(self, piece: bytes) -> bytes:
        if self.done:
            return b""
        if self._in_body:
            return piece[: self._end_of_lines(piece, 0)]
        window = self._seen + piece
        blank = window.find(b"\n\r\n")
        if blank < 0:
            self._seen = window[-2:]
            return piece
        self._in_body = True
        body = blank + 3 - len(self._seen)
        return piece[: self._end_of_lines(piece, body)]

    def _end_of_lines(self, piece: bytes, start: int) -> int:
        """Where the lines still wanted end in the piece, or its length."""
        lines = piece.count(b"\n", start)
        if lines < self._lines_left:
            self._lines_left -= lines
            return len(piece)
        self.done = True
        end = start
        for _ in range(self._lines_left):
            end = piece.index(b"\n", end) + 1
        return end
