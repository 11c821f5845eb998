"""Appending many messages to an mbox at once, so that a crash at any moment loses and doubles none of them.

The messages are first written, whole and synced, to a file of their own: the *staged* file. Under the mbox's locks it
gets the name of the *batch*, which is the instant they are delivered: whoever takes the mbox's locks next, delivery or
session, appends what of a batch is not in the mbox yet, and then removes the batch. So the staged file is there as long
as nothing of it was delivered, and whoever made it can tell after a crash.

**What a batch that is found means.** Its last line tells at which offset of the mbox it was to begin. If the mbox ends
there with a beginning of the batch, the rest is appended. If it has neither that nor the whole batch, another program
has written to the mbox since the crash, and the messages are told one by one: those that are nowhere in the mbox are
appended. One torn by the crash then remains in front, as after a delivery, and one that the other program has removed
comes back.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from spool import durable
from spool.errors import MailboxUnavailableError
from spool.mailbox import MailboxLocation
from spool.mbox.blocks import BLOCK_OCTETS, BlockReader, read_at
from spool.mbox.delivery import prepare_end, write_at_end
from spool.mbox.locks import HeldMbox
from spool.mbox.scan import scan, sound_end
from spool.mbox.view import measure
from spool.state import state_file

_LAST_LINE: Final = re.compile(rb"mailspool-mbox-batch 1 (\d{20})\n")
_LAST_OCTETS: Final = 44


def batch_path(location: MailboxLocation) -> Path:
    """Name a mailbox's batch; it need not exist."""
    return state_file(location, ".mbox-batch")


def last_line(offset: int = 0) -> bytes:
    """Return what ends a staged file, with any offset, and a batch, with the one at which it is to begin."""
    return b"mailspool-mbox-batch 1 %020d\n" % offset


def append_batch(mbox: HeldMbox, staged: Path, batch: Path) -> None:
    """Append the messages of a staged file; no batch is there.

    Holds when it returns, and is bound to happen from the moment the staged file has the batch's name. A crash before
    that changes nothing, but may have closed off what a torn delivery left at the end of the mbox.

    Args:
        mbox: the file, locked.
        staged: messages with their From_ lines and the blank lines after them, then ``last_line``; synced.
        batch: ``batch_path``; on the same file system.

    Raises:
        MailboxUnavailableError: the file is not an mbox.
        OSError: of the disk; the mailbox is as after a crash.
    """
    end, closing = prepare_end(mbox)
    if closing:
        durable.write_all(mbox.descriptor, closing)
    durable.sync_file(mbox.descriptor)  # what lies before the offset must not be torn itself
    descriptor = durable.open_for_update(staged)
    try:
        octets = os.fstat(descriptor).st_size
        durable.write_at(descriptor, last_line(end + len(closing)), octets - _LAST_OCTETS)
        durable.sync_file(descriptor)
    finally:
        os.close(descriptor)
    durable.rename(staged, batch)
    durable.sync_directory(batch.parent)
    finish_batch(mbox, batch)


def finish_batch(mbox: HeldMbox, batch: Path) -> None:
    """Append what of a batch is not in the mbox yet, and remove the batch, if there is one.

    Holds when it returns; a crash before that leaves it to be called again.

    Raises:
        MailboxUnavailableError: the batch is not ours, or the mbox is not one; both are left alone.
        OSError: of the disk.
    """
    try:
        descriptor = os.open(batch, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        durable.check_regular(descriptor, str(batch))
        for start, stop in _missing(mbox, batch, descriptor):
            for piece in _pieces(mbox, descriptor, start, stop):
                durable.write_all(mbox.descriptor, piece)
        durable.sync_file(mbox.descriptor)
    finally:
        os.close(descriptor)
    durable.remove(batch)
    durable.sync_directory(batch.parent)


def _missing(mbox: HeldMbox, batch: Path, descriptor: int) -> Sequence[tuple[int, int]]:
    """Say what of the batch must be appended, by offsets in it, and prepare the mbox for that."""
    octets = os.fstat(descriptor).st_size - _LAST_OCTETS
    found = _LAST_LINE.fullmatch(read_at(descriptor, max(octets, 0), _LAST_OCTETS + 1))
    if not found:
        raise MailboxUnavailableError(f"{batch}: not a batch of messages")
    offset = int(found[1])
    there, torn = _compare(mbox, descriptor, octets, offset)
    if there == octets:
        return ()
    size = os.fstat(mbox.descriptor).st_size
    if torn and offset + there <= size <= offset + octets:
        durable.truncate(mbox.descriptor, offset + there)
        write_at_end(mbox.descriptor)
        return ((there, octets),)
    _, closing = prepare_end(mbox)
    # Unless the mbox was rewritten, what lies before the batch is not of it, even if it is equal.
    lacking = _lacking(mbox, descriptor, octets, offset if there else 0)
    if lacking and closing:
        durable.write_all(mbox.descriptor, closing)
    return lacking


def _compare(mbox: HeldMbox, descriptor: int, octets: int, offset: int) -> tuple[int, bool]:
    """Compare the batch's messages with what the mbox has at this offset.

    Returns:
        How many octets are there, from the first on; and whether all others that the mbox has are there as well, but
        for NULs, which a power cut may leave wherever octets were being written.
    """
    there: int | None = None
    position = 0
    for ours in _pieces(mbox, descriptor, 0, octets):
        theirs = read_at(mbox.descriptor, offset + position, len(ours))
        if theirs != ours:
            pairs = list(zip(theirs, ours, strict=False))
            if there is None:
                there = position + next((at for at, (one, other) in enumerate(pairs) if one != other), len(pairs))
            if any(one not in {0, other} for one, other in pairs):
                return there, False
        position += len(ours)
    return octets if there is None else there, True


def _lacking(mbox: HeldMbox, descriptor: int, octets: int, first: int) -> Sequence[tuple[int, int]]:
    """Find those messages of the batch, by offsets in it, that are nowhere in the mbox from ``first`` on."""
    size = os.fstat(mbox.descriptor).st_size
    there = Counter(key for key, (start, _) in _messages(mbox, mbox.descriptor, size) if start >= first)
    lacking = []
    for key, place in _messages(mbox, descriptor, octets):
        if there[key]:
            there[key] -= 1
        else:
            lacking.append(place)
    return lacking


def _messages(mbox: HeldMbox, descriptor: int, end: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the key of each message, and where it begins and ends, its blank line included."""
    reader = BlockReader(descriptor, end, before_block=mbox.keep_alive)
    reader.end = sound_end(reader)
    for record in scan(reader):
        yield measure(reader.pieces(record.content, record.end), unquote=False).key, (record.start, record.stop)


def _pieces(mbox: HeldMbox, descriptor: int, start: int, stop: int) -> Iterator[bytes]:
    while start < stop and (piece := read_at(descriptor, start, min(BLOCK_OCTETS, stop - start))):
        mbox.keep_alive()
        yield piece
        start += len(piece)
