"""The messages of an mbox, for carrying them away."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from spool.carrying.flags import Flags
from spool.carrying.from_lines import usable_from_line
from spool.carrying.message import CarriedMessage
from spool.errors import MailboxChangedError
from spool.mbox.blocks import BlockReader, read_at
from spool.mbox.dates import date_of
from spool.mbox.headers import HEAD_OCTETS
from spool.mbox.scan import Record, scan, sound_end
from spool.mbox.view import Measure, MessageView, measure

_PIECE_OCTETS: Final = 256 * 1024
_IDENTITY_CHARACTERS: Final = 32


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """A message in an mbox: where it lies, its identity, and its size and key."""

    record: Record
    identity: str
    measure: Measure


def records_of(descriptor: int, *, first: int, unquote: bool, keep_alive: Callable[[], None]) -> Iterator[FoundRecord]:
    """Find each message of an open mbox from an offset on.

    The message in which IMAP servers keep a mailbox's state is none of them.

    Args:
        descriptor: the mbox.
        first: messages before this offset are left out; one begins there, or the mbox ends.
        unquote: whether POP3 undoes mboxrd quoting in this mbox; decides sizes only.
        keep_alive: called often, as a sign of life while a lock is held.

    Raises:
        MailboxUnavailableError: the file is not an mbox.
        OSError: it cannot be read.
    """
    reader = BlockReader(descriptor, os.fstat(descriptor).st_size, before_block=keep_alive)
    reader.end = sound_end(reader)
    for index, record in enumerate(scan(reader)):
        if record.start < first or (index == 0 and record.hints.internal):
            continue
        undo = unquote and record.may_have_quotes
        measured = measure(reader.pieces(record.content, record.end), unquote=undo)
        from_line = reader.read(record.start, record.content)
        yield FoundRecord(record, _identity(from_line, measured.key), measured)


def messages_of(
    descriptor: int, *, first: int, unquote: bool, keep_alive: Callable[[], None]
) -> Iterator[CarriedMessage]:
    """Yield the messages of an open mbox from an offset on, in their order.

    What they yield later is read from the same descriptor, and only a whole message that is still the same.

    Args:
        descriptor: the mbox; open as long as a message is read.
        first: messages before this offset are left out.
        unquote: whether POP3 undoes mboxrd quoting in this mbox.
        keep_alive: called often, as a sign of life while a lock is held.

    Raises:
        MailboxUnavailableError: the file is not an mbox.
        OSError: it cannot be read.
    """
    seconds = os.fstat(descriptor).st_mtime
    for found in records_of(descriptor, first=first, unquote=unquote, keep_alive=keep_alive):
        record, key = found.record, found.measure.key
        from_line = read_at(descriptor, record.start, record.content - record.start)
        date = date_of(from_line)
        # One without a date is as old as the one before it.
        seconds = seconds if date is None else date
        head = read_at(descriptor, record.content, min(HEAD_OCTETS, record.end - record.content))
        yield CarriedMessage(
            identity=found.identity,
            key=key,
            wire_octets=found.measure.wire_octets,
            seconds=seconds,
            from_line=usable_from_line(from_line),
            flags=Flags.from_head(head),
            pieces=partial(_pieces, descriptor, record, key, unquote and record.may_have_quotes),
        )


def _pieces(descriptor: int, record: Record, key: str, unquote: bool) -> Iterator[bytes]:
    view = MessageView(unquote=unquote)
    for piece in _raw(descriptor, record):
        yield view.feed(piece)
    yield view.finish()
    if view.key() != key:
        raise MailboxChangedError("a message was changed while it was read")


def _raw(descriptor: int, record: Record) -> Iterator[bytes]:
    position = record.content
    while position < record.end and (piece := read_at(descriptor, position, min(_PIECE_OCTETS, record.end - position))):
        yield piece
        position += len(piece)


def _identity(from_line: bytes, key: str) -> str:
    return hashlib.sha256(from_line.rstrip(b"\r\n") + b"\n" + key.encode("ascii")).hexdigest()[:_IDENTITY_CHARACTERS]
