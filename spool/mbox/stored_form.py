"""The form in which delivery stores a message: what ``spool.mbox.view`` turns back into what was sent."""

from __future__ import annotations

import re
from typing import Final

from spool.mbox.headers import STORAGE_FIELDS, FieldFilter
from spool.mbox.quoting import FromQuoting
from spool.wire import WireCounter

_CRLF: Final = re.compile(rb"(?<!\r)\r\n")


class LineEnds:
    """Turns CRLF into LF, piece by piece, where turning it back gives the same octets.

    A CRLF after another CR stays: that CR is an octet of the message, and before a lone LF it would look like half of
    a line end.
    """

    __slots__ = ("_after_crs", "_held")

    def __init__(self) -> None:
        self._held = b""  # a single CR at the end
        self._after_crs = False  # behind two or more CRs

    def feed(self, piece: bytes) -> bytes:
        """Return what is certain after the next piece; it may be empty."""
        context = b"\r\r" if self._after_crs and piece else b""
        data = context + self._held + piece
        if b"\r" not in data:
            return data
        self._held = b"\r" if data.endswith(b"\r") and not data.endswith(b"\r\r") else b""
        certain = data.removesuffix(self._held)
        self._after_crs = certain.endswith(b"\r")
        return _CRLF.sub(b"\n", certain)[len(context) :]

    def finish(self) -> bytes:
        """Return what was held back at the end of the message."""
        held, self._held = self._held, b""
        return held


class StoredForm:
    """Makes the stored form of one message, piece by piece, for any cuts between pieces.

    Line ends are LF, the last line has one, From-lines are quoted (mboxrd), and storage fields are gone from the
    header: whoever sent them could make a message look read, hide it, or swallow the next one (Content-Length).

    Args:
        unquote: whether readers will undo the quoting, for ``wire_octets``.
    """

    __slots__ = ("_counter", "_fields", "_last", "_line_ends", "_quoting", "_unquote")

    def __init__(self, *, unquote: bool) -> None:
        self._fields = FieldFilter(STORAGE_FIELDS)
        self._line_ends = LineEnds()
        self._quoting = FromQuoting(quote=True)
        self._counter = WireCounter()
        self._unquote = unquote
        self._last = b"\n"

    def feed(self, piece: bytes) -> bytes:
        """Return what is certain after the next piece; it may be empty."""
        return self._quoted(self._line_ends.feed(self._fields.feed(piece)))

    def finish(self) -> bytes:
        """Return the rest, up to the last line end."""
        rest = self._line_ends.feed(self._fields.finish()) + self._line_ends.finish()
        last = rest[-1:] or self._last
        match last:
            case b"\n":
                line_end = b""
            case b"\r":
                line_end = b"\r\n"  # a lone LF would make a line end of the message's own CR
            case _:
                line_end = b"\n"
        stored = self._quoted(rest + line_end)
        end = self._quoting.finish()
        self._count(end, end)
        return stored + end

    @property
    def wire_octets(self) -> int:
        """The size as RETR will send it, once the form is finished."""
        return self._counter.octets

    def _quoted(self, octets: bytes) -> bytes:
        self._last = octets[-1:] or self._last
        quoted = self._quoting.feed(octets)
        self._count(octets, quoted)
        return quoted

    def _count(self, octets: bytes, quoted: bytes) -> None:
        self._counter.add(octets if self._unquote else quoted)
