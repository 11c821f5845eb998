"""Counting line ends in much text.

``bytes.count`` of a single octet looks at each octet by itself, and takes as long as SHA-256 does, or twice as long, as
Python was compiled (3.11 to 3.13). Most octets of most mail are base64, whose lines are all of one length: there a
column of the text shows the line ends, and one search, which looks at many octets at once, that there are no others.
"""

from __future__ import annotations

from typing import Final

_STEP_OCTETS: Final = 4096
"""Shorter text is not worth a look, and where lines differ the next look is so much later."""

_RUN_OCTETS: Final = 64 * 1024  # copied at a time: fits into a processor's cache
_PROBED_LINES: Final = 8
_PROBED: Final = b"\n" * _PROBED_LINES


def count_lines(text: bytes, start: int, stop: int) -> int:
    """Return how many LF are in ``text[start:stop]``; time is linear for any octets."""
    count = 0
    while stop - start > _STEP_OCTETS:
        end = min(start + _RUN_OCTETS, stop)
        line_octets = text.find(b"\n", start, start + _STEP_OCTETS // _PROBED_LINES) + 1 - start
        first = start + line_octets - 1
        if line_octets > 0 and text[first : first + _PROBED_LINES * line_octets : line_octets] == _PROBED:
            column = text[first:end:line_octets]
            lines = len(column) - len(column.lstrip(b"\n"))
            end = start + lines * line_octets
            others = bytearray(memoryview(text)[start:end])
            others[line_octets - 1 :: line_octets] = bytes(lines)
            count += lines if b"\n" not in others else text.count(b"\n", start, end)
        else:
            end = text.find(b"\n", start + _STEP_OCTETS, end) + 1 or end
            count += text.count(b"\n", start, end)
        start = end
    return count + text.count(b"\n", start, stop)
