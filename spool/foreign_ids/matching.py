"""Which of an old server's messages is which of ours, told by what both sides know of them.

Only what is certain is paired: a message under another one's id would never be fetched. Messages of which both sides
know the same are told apart by their order, if both sides have as many of them; else they are left.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Final

from spool.foreign_ids.header import lines_of

STORAGE_FIELDS: Final = frozenset(
    {
        b"status", b"x-status", b"x-uid", b"x-uidl", b"x-keywords", b"x-imap", b"x-imapbase", b"content-length",
        b"lines",
    }
)  # fmt: skip
"""What servers keep in the header of a message, show to some clients, and change."""

_BLANKS_AT_END: Final = re.compile(rb"[ \t\r\n]+$")


def header_digest(header: bytes) -> bytes:
    """Digest a header so that neither line ends, nor blanks at ends of lines, nor storage fields matter."""
    digest = hashlib.sha256()
    for line in lines_of(header):
        if line.name not in STORAGE_FIELDS:
            digest.update(_BLANKS_AT_END.sub(b"", line.octets) + b"\n")
    return digest.digest()


def pair(ours: Sequence[Hashable | None], theirs: Sequence[Hashable | None]) -> list[int | None]:
    """Pair messages of which both sides know the same.

    Args:
        ours: what is known of each of our messages, in order; None is paired with nothing.
        theirs: the same of the old server's.

    Returns:
        For each of ours the position of its partner in ``theirs``, None if it has none for certain.
    """
    groups, others = _positions(ours), _positions(theirs)
    partners: list[int | None] = [None] * len(ours)
    for traits, positions in groups.items():
        same = others.get(traits, [])
        if len(same) == len(positions):
            for position, partner in zip(positions, same, strict=True):
                partners[position] = partner
    return partners


def without_crossings(partners: Sequence[int | None]) -> list[int | None]:
    """Leave out each pair that contradicts another one about the order of messages.

    Mail comes at the end and goes anywhere, which never makes two pairs cross; a new message that is paired with one
    that is gone does.
    """
    highest_before, highest = [], -1
    for partner in partners:
        highest_before.append(highest)
        highest = max(highest, -1 if partner is None else partner)
    kept: list[int | None] = [None] * len(partners)
    lowest = None
    for position in range(len(partners) - 1, -1, -1):
        partner = partners[position]
        if partner is not None:
            if highest_before[position] < partner and (lowest is None or partner < lowest):
                kept[position] = partner
            lowest = partner if lowest is None else min(lowest, partner)
    return kept


def _positions(items: Sequence[Hashable | None]) -> dict[Hashable, list[int]]:
    positions = defaultdict(list)
    for position, item in enumerate(items):
        if item is not None:
            positions[item].append(position)
    return positions
