"""Removing messages from the middle of an mbox, in place, so that a crash at any moment loses and doubles nothing.

What is kept behind the first removed message must move towards the beginning of the file. It is first written, whole
and synced, to a *journal* in the state directory; then copied from there to its place; then the file is cut off behind
it, and the journal removed. Whoever finds a journal, under the mbox's locks, does the rest of these steps again: they
come from the journal, which does not change, so doing them twice is doing them once. ``docs/adr/0006-mbox-update.md``
says what else was considered.

**What a journal that is found means.** Its head tells the file's size before the removal, and the digest of those
octets that copying never touches and cutting off removes. Are they still there, then the file was not cut yet: copy and
cut. Are they not, but what was to be kept is in place, then only the journal is left to be removed. If neither holds,
another program has rewritten the file since the crash; only a person can say what to keep, and both files stay as they
are. Mail that others appended after the crash, behind the old end, moves along by a journal of its own. The one deceit
left: between the cut and the removal of the journal somebody appends the very octets that were cut off, From_ line and
its date included.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spool import durable
from spool.errors import MailboxChangedError, MailboxUnavailableError
from spool.mailbox import MailboxLocation
from spool.mbox.blocks import BLOCK_OCTETS, read_at
from spool.mbox.locks import HeldMbox
from spool.state import state_file

_HEAD: Final = re.compile(rb"mailspool-mbox-journal 1 (\d{20}) (\d{20}) (\d{20}) ([0-9a-f]{64})\n")
_HEAD_OCTETS: Final = 153


@dataclass(frozen=True, slots=True)
class _Plan:
    """The head of a journal: the octets after it go to ``[first, last)`` of an mbox that had ``size`` octets."""

    first: int
    last: int
    size: int
    cut_digest: str

    def encode(self) -> bytes:
        return b"mailspool-mbox-journal 1 %020d %020d %020d %b\n" % (
            self.first,
            self.last,
            self.size,
            self.cut_digest.encode("ascii"),
        )

    @classmethod
    def decode(cls, head: bytes, octets: int) -> _Plan:
        """Take apart the head of a journal of ``octets`` octets; ValueError if it is not one."""
        if not (match := _HEAD.fullmatch(head)):
            raise ValueError("no head of a journal")
        plan = cls(int(match[1]), int(match[2]), int(match[3]), match[4].decode("ascii"))
        if plan.last - plan.first != octets - _HEAD_OCTETS or not plan.first <= plan.last < plan.size:
            raise ValueError("its numbers do not fit together")
        return plan


def journal_path(location: MailboxLocation) -> Path:
    """Name a mailbox's journal; it need not exist."""
    return state_file(location, ".mbox-journal")


def keep_only(mbox: HeldMbox, journal: Path, kept: Sequence[tuple[int, int]], *, first: int) -> None:
    """Remove everything from offset ``first`` on but the ranges ``kept``.

    Holds when it returns. A crash before that leaves the file as it was, or a journal with which ``finish_removal``
    completes the removal; until then other programs may see messages twice. Where nothing is kept, the file is cut
    off, and a crash leaves the old file or the new.

    Args:
        mbox: the file, locked.
        journal: where the journal goes; none is there.
        kept: start and stop offsets, in order, from ``first`` on; not all of what follows ``first``.
        first: from where on something is removed.

    Raises:
        OSError: of the disk; the mailbox is as after a crash.
    """
    size = os.fstat(mbox.descriptor).st_size
    last = first + sum(stop - start for start, stop in kept)
    if last == first:
        _cut(mbox, first)
        return
    plan = _Plan(first, last, size, _digest(mbox.descriptor, last, size, mbox))
    durable.replace_file(journal, _journal_pieces(plan, mbox, kept))
    _finish(mbox, journal, is_uncut=True)


def finish_removal(mbox: HeldMbox, journal: Path) -> None:
    """Complete a removal that a crash interrupted, if there was one.

    Holds when it returns; a crash before that leaves it to be called again.

    Raises:
        MailboxUnavailableError: the journal is not ours, or the mbox was rewritten since; both are left alone.
        OSError: of the disk.
    """
    _finish(mbox, journal, is_uncut=False)


def _finish(mbox: HeldMbox, journal: Path, *, is_uncut: bool) -> None:
    """Do what a journal says, and those that follow it; with ``is_uncut`` it is certain of the first."""
    while journal.exists():
        descriptor = os.open(journal, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            arrived = _apply(mbox, journal, descriptor, is_uncut=is_uncut)
        finally:
            os.close(descriptor)
        if arrived is None:
            durable.remove(journal)
            durable.sync_directory(journal.parent)
        else:
            durable.replace_file(journal, arrived)
            is_uncut = True


def is_completable(mbox: HeldMbox, descriptor: int) -> bool:
    """Whether ``finish_removal`` would complete what an open journal says. Changes nothing.

    Raises:
        OSError: of the disk.
    """
    try:
        plan = _Plan.decode(read_at(descriptor, 0, _HEAD_OCTETS), os.fstat(descriptor).st_size)
    except ValueError:
        return False
    return _is_uncut(plan, mbox) or _is_in_place(plan, mbox, descriptor)


def _is_uncut(plan: _Plan, mbox: HeldMbox) -> bool:
    size = os.fstat(mbox.descriptor).st_size
    return size >= plan.size and _digest(mbox.descriptor, plan.last, plan.size, mbox) == plan.cut_digest


def _is_in_place(plan: _Plan, mbox: HeldMbox, descriptor: int) -> bool:
    kept = _digest(descriptor, _HEAD_OCTETS, _HEAD_OCTETS + plan.last - plan.first, mbox)
    return _digest(mbox.descriptor, plan.first, plan.last, mbox) == kept


def _apply(mbox: HeldMbox, journal: Path, descriptor: int, *, is_uncut: bool) -> Iterator[bytes] | None:
    """Do what a journal says; return a next journal if mail arrived behind the old end, else None."""
    try:
        plan = _Plan.decode(read_at(descriptor, 0, _HEAD_OCTETS), os.fstat(descriptor).st_size)
    except ValueError as error:
        raise MailboxUnavailableError(f"{journal}: {error}") from error
    size = os.fstat(mbox.descriptor).st_size
    if not is_uncut and not _is_uncut(plan, mbox):
        if not _is_in_place(plan, mbox, descriptor):
            raise MailboxUnavailableError(
                f"{journal}: the mbox was rewritten after a crash; a person must compare them"
            )
        return None
    offset = plan.first
    for piece in _pieces(descriptor, _HEAD_OCTETS, _HEAD_OCTETS + plan.last - plan.first, mbox):
        durable.write_at(mbox.descriptor, piece, offset)
        offset += len(piece)
    durable.sync_file(mbox.descriptor)
    if size == plan.size:
        _cut(mbox, plan.last)
        return None
    last = plan.last + size - plan.size
    return _journal_pieces(
        _Plan(plan.last, last, size, _digest(mbox.descriptor, last, size, mbox)), mbox, [(plan.size, size)]
    )


def _cut(mbox: HeldMbox, octets: int) -> None:
    durable.truncate(mbox.descriptor, octets)
    durable.sync_file(mbox.descriptor)


def _journal_pieces(plan: _Plan, mbox: HeldMbox, kept: Sequence[tuple[int, int]]) -> Iterator[bytes]:
    yield plan.encode()
    octets = 0
    for start, stop in kept:
        for piece in _pieces(mbox.descriptor, start, stop, mbox):
            octets += len(piece)
            yield piece
    if octets != plan.last - plan.first:
        raise MailboxChangedError("the mbox became shorter in spite of our locks")


def _digest(descriptor: int, start: int, stop: int, mbox: HeldMbox) -> str:
    digest = hashlib.sha256()
    for piece in _pieces(descriptor, start, stop, mbox):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(descriptor: int, start: int, stop: int, mbox: HeldMbox) -> Iterator[bytes]:
    while start < stop and (piece := read_at(descriptor, start, min(BLOCK_OCTETS, stop - start))):
        mbox.keep_alive()
        yield piece
        start += len(piece)
