"""The message as it comes: from the wire to stored form, with LF line ends.

**DATA** ends with ``CRLF . CRLF`` and with nothing else (RFC 5321 section 4.1.1.4): a CR or an LF alone ends neither a
line nor the message, so what one server takes for two messages cannot be one here (SMTP smuggling, CVE-2023-51764 and
others). They stay as octets. A dot that begins a line is taken away (section 4.5.2).

**BDAT** counts octets, and no octet means anything (RFC 3030).
"""

from __future__ import annotations

from typing import Final

_END: Final = b"\r\n.\r\n"
_PREFIXES: Final = tuple(_END[:length] for length in range(len(_END) - 1, 0, -1))


class DataDecoder:
    """Takes what follows DATA.

    Attributes:
        ended: the end has come; nothing more may be fed.
        bare: a CR or LF alone has been seen.
    """

    __slots__ = ("_held", "_started", "bare", "ended")

    def __init__(self) -> None:
        self._held = b"\r\n"  # as if a line had ended before: the first line may begin with a dot, too
        self._started = False
        self.ended = False
        self.bare = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return what of the message is certain, and what came behind its end: commands."""
        buffer = self._held + data
        end = buffer.find(_END)
        if end >= 0:
            self.ended = True
            content, rest = buffer[: end + 2], buffer[end + len(_END) :]
        else:
            held = next((prefix for prefix in _PREFIXES if buffer.endswith(prefix)), b"")
            content, rest = buffer[: len(buffer) - len(held)], b""
            self._held = held
        return self._stored(content), rest

    def _stored(self, content: bytes) -> bytes:
        if not content:
            return b""
        if b"\r\n." in content:
            content = content.replace(b"\r\n.", b"\r\n")
        stored = content.replace(b"\r\n", b"\n")
        self.bare = self.bare or _has_bare(stored, len(content) - len(stored))
        if not self._started:
            self._started = True
            return stored[1:]
        return stored


class ChunkDecoder:
    """Takes what follows the BDATs of one message. ``bare`` is as in ``DataDecoder``."""

    __slots__ = ("_held", "bare")

    def __init__(self) -> None:
        self._held = b""
        self.bare = False

    def feed(self, data: bytes, *, last: bool) -> bytes:
        """Return what of the message is certain; ``last`` says that nothing follows."""
        buffer = self._held + data
        self._held = b"\r" if buffer.endswith(b"\r") and not last else b""
        content = buffer[: len(buffer) - len(self._held)]
        stored = content.replace(b"\r\n", b"\n")
        self.bare = self.bare or _has_bare(stored, len(content) - len(stored))
        return stored


def _has_bare(stored: bytes, complete: int) -> bool:
    """Whether there is a CR or LF alone, in octets of which so many CRLFs were made LFs: looks at each once."""
    return b"\r" in stored or stored.count(b"\n") != complete
