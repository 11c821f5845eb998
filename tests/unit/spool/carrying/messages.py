"""Messages to be carried."""

from __future__ import annotations

from spool.carrying.flags import Flag, Flags
from spool.carrying.message import CarriedMessage
from spool.wire import wire_octets

NEW = Flags()
SEEN = Flags(frozenset({Flag.SEEN}), recent=False)
SECONDS = 1420070400.0
FROM = b"From sender@example.org Thu Jan  1 00:00:00 2015\n"


def carried(
    octets: bytes, *, flags: Flags = NEW, seconds: float = SECONDS, unique_id: str | None = None
) -> CarriedMessage:
    """A message with these octets, cut into small pieces."""
    pieces = [octets[start : start + 7] for start in range(0, len(octets), 7)]
    return CarriedMessage(
        identity=octets.hex(),
        key="key",
        wire_octets=wire_octets(pieces),
        seconds=seconds,
        from_line=FROM,
        flags=flags,
        pieces=lambda: iter(pieces),
        unique_id=unique_id,
    )
