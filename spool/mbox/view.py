"""A message as POP3 shows it: without what the mbox added to it.

Storage fields are taken out of the header (``spool.mbox.headers``) and From-lines lose their quoting
(``spool.mbox.quoting``). Sizes are counted on the view, by the same code that makes it, so that LIST and RETR agree.

The message's *digest* says which message it is. It is taken before unquoting and leaves out whatever other programs
change when they rewrite an mbox: storage fields, ``Lines``, and whether the last line has its end. So it depends
neither on the place in the file nor on settings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from spool.mbox.headers import REWRITTEN_FIELDS, STORAGE_FIELDS, FieldFilter
from spool.mbox.quoting import FromQuoting
from spool.wire import WireCounter

KEY_OCTETS: Final = 16


class MessageView:
    """Makes the view of one message, piece by piece: stored octets in, shown octets out, stored line ends in both."""

    __slots__ = ("_at_line_start", "_digest", "_fields", "_quoting", "_rewritten_fields")

    def __init__(self, *, unquote: bool) -> None:
        self._fields = FieldFilter(STORAGE_FIELDS)
        self._rewritten_fields = FieldFilter(REWRITTEN_FIELDS)
        self._quoting = FromQuoting(quote=False) if unquote else None
        # SHA-256 because processors have instructions for it: twice as fast as BLAKE2 here (1.1 GB/s).
        self._digest = hashlib.sha256()
        self._at_line_start = True

    def feed(self, piece: bytes) -> bytes:
        """Return what of the view is certain after the next piece; it may be empty."""
        kept = self._fields.feed(piece)
        self._add_to_digest(self._rewritten_fields.feed(kept))
        return self._quoting.feed(kept) if self._quoting else kept

    def finish(self) -> bytes:
        """Return the rest of the view."""
        kept = self._fields.finish()
        self._add_to_digest(self._rewritten_fields.feed(kept) + self._rewritten_fields.finish())
        if not self._at_line_start:
            self._digest.update(b"\n")
        return self._quoting.feed(kept) + self._quoting.finish() if self._quoting else kept

    def key(self) -> str:
        """Return the digest as a key for ``spool.unique_ids``, once the view is finished."""
        return key_of(self._digest.digest())

    def _add_to_digest(self, octets: bytes) -> None:
        if octets:
            self._digest.update(octets)
            self._at_line_start = octets.endswith(b"\n")


def key_of(digest: bytes) -> str:
    """Make a key of a digest: its first 128 bits in hexadecimal."""
    return digest[:KEY_OCTETS].hex()


@dataclass(frozen=True, slots=True)
class Measure:
    """What a snapshot keeps of a message: its size as RETR sends it, and the key made of its digest."""

    wire_octets: int
    key: str


def measure(pieces: Iterable[bytes], *, unquote: bool) -> Measure:
    """Measure a message given its stored octets, From_ line excluded."""
    view = MessageView(unquote=unquote)
    counter = WireCounter()
    for piece in pieces:
        counter.add(view.feed(piece))
    counter.add(view.finish())
    return Measure(counter.octets, view.key())
