"""Header lines as the old servers looked at them: physical lines, with their line ends, of known fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from spool.mbox.headers import end_of_header

HEADER_OCTETS_MAX: Final = 256 * 1024
"""Of a longer header nothing is told: no server's formula would be certain to agree."""

_LINES: Final = re.compile(rb"[^\n]*\n|[^\n]+")  # a CR alone ends no line
_PIECE_OCTETS: Final = 8 * 1024


class Line(NamedTuple):
    """One line of a header. ``name`` is the field's in lower case, empty before the first field."""

    name: bytes
    continued: bool
    octets: bytes

    @property
    def value(self) -> bytes:
        """What the line holds of the field's value, without its line end; blanks after the colon are skipped."""
        text = self.octets.rstrip(b"\r\n")
        return text if self.continued else text.partition(b":")[2].lstrip(b" \t")


def lines_of(header: bytes) -> Iterator[Line]:
    """Yield the lines of a header."""
    name = b""
    for octets in _LINES.findall(header):
        continued = octets[:1] in (b" ", b"\t")
        if not continued:
            name = octets.partition(b":")[0].lower()
        yield Line(name, continued, octets)


def first_value(header: bytes, name: bytes) -> bytes | None:
    """Return the first line of the first field of this name (lower case), without blanks around it."""
    return next((line.value.strip() for line in lines_of(header) if line.name == name and not line.continued), None)


def read_header(read: Callable[[int, int], bytes], octets: int) -> bytes | None:
    """Read the header of a message: all before the first blank line, or all if there is none.

    Args:
        read: returns so many octets from an offset in the message on, fewer only at its end.
        octets: the length of the message.

    Returns:
        None if it is longer than ``HEADER_OCTETS_MAX``.
    """
    header = b""
    while len(header) < min(octets, HEADER_OCTETS_MAX):
        piece = read(len(header), min(_PIECE_OCTETS, octets - len(header)))
        header += piece
        if (end := end_of_header(header)) is not None:
            return header[: end[0]]
        if not piece:
            break
    return header if len(header) < HEADER_OCTETS_MAX else None
