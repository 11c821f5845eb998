"""mboxrd quoting: body lines that look like a From_ line get one more ``>``, and lose it when they are read.

A line is quoted when it is any number of ``>`` followed by ``From ``; so every message comes back octet for octet, and
no line of it can be taken for a separator. All lines are treated alike, those of the header too: a message handed over
with a From_ line of its own must not split in two.

Files written by mboxo programs, which quote only ``From `` and nobody can undo exactly, come out right where it was a
quoted line and wrong where the sender had written ``>From ``; the first is by far the more frequent. Where the second
matters, ``[spool] mbox_unquote = false`` leaves all quoting in.
"""

from __future__ import annotations

import re
from typing import Final

_QUOTABLE: Final = re.compile(rb"^(>*From )", re.MULTILINE)
_QUOTED: Final = re.compile(rb"^>(>*From )", re.MULTILINE)
# The beginning of a line that may still turn out to be a From_ line, quoted or not.
_UNDECIDED: Final = re.compile(rb"(>*)(F(?:r(?:om?)?)?|)")


class FromQuoting:
    """Rewrites the From-lines of one message, piece by piece, for any cuts between pieces.

    At most five octets are held back, however long a line is: of a run of ``>`` only one is needed to add or to drop
    one, and the rest passes.
    """

    __slots__ = ("_held", "_may_match", "_pattern", "_replacement")

    def __init__(self, *, quote: bool) -> None:
        self._pattern, self._replacement = (_QUOTABLE, rb">\1") if quote else (_QUOTED, rb"\1")
        self._held = b""
        self._may_match = True  # what comes next continues a line of which at most ">" were seen

    def feed(self, piece: bytes) -> bytes:
        """Return what is certain after the next piece; it may be empty."""
        data = self._held + piece if self._held else piece
        start = 0 if self._may_match else data.find(b"\n") + 1
        if not start and not self._may_match:
            return data
        last_line = data.rfind(b"\n") + 1
        undecided = _UNDECIDED.fullmatch(data, last_line)
        self._may_match = undecided is not None
        self._held = undecided[1][:1] + undecided[2] if undecided else b""
        certain = data[: len(data) - len(self._held)]
        if b"From " not in certain:
            return certain
        return certain[:start] + self._pattern.sub(self._replacement, certain[start:])

    def finish(self) -> bytes:
        """Return what was held back at the end of the message."""
        held, self._held = self._held, b""
        return held
