"""Numbered messages: the number says every octet, so whoever reads one can tell whether it is whole."""

from __future__ import annotations

import random
import re

_NUMBER = re.compile(rb"^Subject: soak (\d+)\r\n")
_LINES = (
    b"A line of text that is neither long nor short, of which there are many.",
    b"From the beginning of a line on, this looks like a separator.",
    b">From here on it is quoted already.",
    b".",
    b"..two dots",
    b"",
    b"\xe5\x85\xab octets that are not ASCII",
)
_SIZES = (3, 3, 10, 10, 10, 40, 40, 400, 6000)  # in lines; the last is a third of a megabyte


def message(number: int) -> bytes:
    """The message of this number, in wire form without dot-stuffing."""
    chance = random.Random(number)
    lines = chance.choices(_LINES, k=chance.choice(_SIZES))
    return b"".join(line + b"\r\n" for line in (b"Subject: soak %d" % number, b"", *lines))


def number_of(octets: bytes) -> int | None:
    """The number of a message that was read, None if it is not one of ours or not whole."""
    found = _NUMBER.match(octets)
    if found is None or message(number := int(found[1])) != octets:
        return None
    return number
