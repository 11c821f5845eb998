"""Taking in a message the way a POP3 reader does: dot-unstuffing, up to a size limit (XTND XMIT)."""

from __future__ import annotations


class MessageCollector:
    """Collects the lines of one message, with LF line ends as programs on this side expect them.

    Memory is bounded by ``octets_max``: past it everything is dropped, and lines are only read to find the end.
    """

    __slots__ = ("_message", "_octets_max", "overflowed")

    def __init__(self, octets_max: int) -> None:
        self._message = bytearray()
        self._octets_max = octets_max
        self.overflowed = False

    def take(self, line: bytes) -> bool:
        """Take one line without its CRLF; whether it was the terminator."""
        if line == b".":
            return True
        # A line that begins with a dot has one more than the message (RFC 1939 section 3).
        content = line[1:] if line.startswith(b".") else line
        if len(self._message) + len(content) + 1 > self._octets_max:
            self.overflow()
        if not self.overflowed:
            self._message += content
            self._message += b"\n"
        return False

    def overflow(self) -> None:
        """Drop the message: it, or one of its lines, is too long."""
        self.overflowed = True
        self._message.clear()

    def message(self) -> bytes:
        """The message so far, empty after an overflow."""
        return bytes(self._message)
