"""What strangers chose, made fit for a line of the log: it can neither begin a line nor look like a field."""

from __future__ import annotations

from typing import Final

SHOWN_OCTETS_MAX: Final = 80


def shown(octets: bytes) -> str:
    """Make octets one word of printable ASCII, at most ``SHOWN_OCTETS_MAX`` of them; ``-`` stands for none."""
    return one_word(octets[:SHOWN_OCTETS_MAX].decode("latin-1"))


def one_word(text: str) -> str:
    """Make a text one word of printable ASCII; ``-`` stands for an empty one."""
    return escaped(text).replace(" ", "\\x20") or "-"


def escaped(text: str) -> str:
    """Make a text printable ASCII in one line."""
    return text.encode("unicode_escape", "backslashreplace").decode("ascii")
