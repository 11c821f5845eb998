"""One message on its way from a mailbox into another, and the two forms in which it can be stored there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from spool.carrying.flags import Flags
from spool.carrying.from_lines import from_line_for
from spool.mbox.headers import HEAD_OCTETS
from spool.mbox.quoting import FromQuoting
from spool.mbox.stored_form import StoredForm
from spool.mbox.view import MessageView

_NO_CONTINUATION: Final = re.compile(rb"^[^ \t]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CarriedMessage:
    """A message as its mailbox shows it, and what the mailbox knows about it.

    Attributes:
        identity: tells it from other messages of its mailbox but octet-equal ones of the same date, and stays the same
            when others come and go or a mail reader marks it.
        key: its key for ``spool.unique_ids`` in its mailbox.
        wire_octets: its size as RETR sends it.
        seconds: when it was delivered, since 1970.
        from_line: the From_ line it had, with LF, if that may stand before any message.
        flags: its marks.
        pieces: reads what POP3 shows of it, but for the line ends, as often as it is called.
        unique_id: what UIDL shall show for it; None if that may follow from its new key.
    """

    identity: str
    key: str
    wire_octets: int
    seconds: float
    from_line: bytes | None
    flags: Flags
    pieces: Callable[[], Iterator[bytes]]
    unique_id: str | None = None


def in_mbox(message: CarriedMessage, *, unquote: bool, keys: list[str]) -> Iterator[bytes]:
    """Yield a message as an mbox stores it: From_ line, marks, message, blank line.

    Args:
        message: the message.
        unquote: whether readers of the mbox undo mboxrd quoting; where they do not, quoting that is there stays as it
            is.
        keys: gets the key that the message has in the mbox, once all of it was yielded.
    """
    view = MessageView(unquote=False)
    stored = _stored(message.pieces(), unquote=unquote, view=view)
    head = b""
    for piece in stored:
        head += piece
        if len(head) >= HEAD_OCTETS:
            break
    yield message.from_line or from_line_for(head, message.seconds)
    if head := with_fields(head, message.flags.fields):
        yield head
    yield from stored
    yield b"\n"
    keys.append(view.key())


def with_fields(head: bytes, fields: bytes) -> bytes:
    """Put storage fields into the beginning of a message, where they are taken for fields and nothing else is.

    In front of the first line that is no continuation, for a field in front of a continuation would swallow it. They
    are left out of a message that begins with ``HEAD_OCTETS`` of nothing else.
    """
    line = _NO_CONTINUATION.search(head)
    if line is None and len(head) >= HEAD_OCTETS:
        return head
    place = line.start() if line else len(head)
    return head[:place] + fields + head[place:]


def _stored(pieces: Iterable[bytes], *, unquote: bool, view: MessageView) -> Iterator[bytes]:
    """Yield the stored form (``spool.mbox.stored_form``), and let ``view`` see it for its key."""
    quoting, form = FromQuoting(quote=False), StoredForm(unquote=unquote)
    for piece in pieces:
        # Where quoting is shown, it is part of what is shown: taken out, it comes back with the stored form.
        stored = form.feed(piece if unquote else quoting.feed(piece))
        if stored:
            view.feed(stored)
            yield stored
    stored = form.feed(quoting.finish()) + form.finish()
    view.feed(stored)
    view.finish()
    if stored:
        yield stored
