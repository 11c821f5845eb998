"""An mbox from which messages are carried away, while other mail programs may still deliver into it."""

from __future__ import annotations

import contextlib
import os
import random
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spool.carrying.carry import Found
from spool.carrying.from_mbox import FoundRecord, messages_of, records_of
from spool.durable import storage_errors
from spool.errors import MailboxUnavailableError
from spool.mbox.blocks import BlockReader
from spool.mbox.journal import finish_removal, keep_only
from spool.mbox.locks import HeldMbox, MboxLocks, Timing
from spool.mbox.scan import sound_end


@dataclass(frozen=True, slots=True)
class MboxPlace:
    """An mbox outside of what ``spool.homes`` locates.

    Attributes:
        path: the mbox; it need not exist.
        uid: who must own it.
        locks: which locks to take, in their order.
        lock_seconds: how long to try.
        stale_seconds: from which age on another's dot-lock is broken.
        unquote: whether POP3 undoes mboxrd quoting in it.
        journal: for removing messages; out of others' reach.
        first: messages before this offset are none of ours.
        find_ids: tells which unique-id each message had on another server, None where it had none; given the mbox
            under its locks, of which ``first`` is then 0.
    """

    path: Path
    uid: int
    locks: tuple[str, ...]
    lock_seconds: float
    stale_seconds: float
    unquote: bool
    journal: Path
    first: int = 0
    find_ids: Callable[[HeldMbox], Sequence[str | None]] | None = None


class MboxSource:
    """An mbox as a source (``spool.carrying.carry.Source``). To be closed when its messages are no longer read."""

    def __init__(self, place: MboxPlace) -> None:
        self.place = place
        self._open = contextlib.ExitStack()

    @contextlib.contextmanager
    def locked(self) -> Iterator[OpenMbox | NoMbox]:
        """Hold the mbox's locks (``spool.carrying.carry.Source.locked``); a missing mbox is an empty one.

        Raises:
            MailboxBusyError: the locks were not free in time.
            MailboxUnavailableError: it is not a regular file of its owner, has a second name, or anybody may write it.
        """
        place = self.place
        locks = MboxLocks(
            path=place.path,
            uid=place.uid,
            kinds=place.locks,
            lock_seconds=place.lock_seconds,
            stale_seconds=place.stale_seconds,
            timing=Timing(time.monotonic, time.sleep, random.random),
        )
        with contextlib.ExitStack() as held, storage_errors(place.path):
            try:
                mbox = held.enter_context(locks.held())
            except FileNotFoundError:
                yield NoMbox()
                return
            check_alone(os.fstat(mbox.descriptor), place.path)
            finish_removal(mbox, place.journal)
            descriptor = os.dup(mbox.descriptor)
            self._open.callback(os.close, descriptor)
            yield OpenMbox(place, mbox, descriptor)

    def close(self) -> None:
        """Give up the messages that were found. May be called twice."""
        self._open.close()


class NoMbox:
    """An mbox that is not there (``spool.carrying.carry.OpenSource``)."""

    def records(self) -> Sequence[FoundRecord]:
        """Nothing."""
        return ()

    def find(self) -> Found:
        """Nothing."""
        return Found((), ())

    def remove(self, taken: Sequence[str]) -> None:
        """Nothing."""

    def remainder(self) -> int:
        """Nothing."""
        return 0


class OpenMbox:
    """An mbox whose locks are held (``spool.carrying.carry.OpenSource``).

    Attributes:
        descriptor: for reading it, open even when the locks are released.
    """

    def __init__(self, place: MboxPlace, mbox: HeldMbox, descriptor: int) -> None:
        self._place = place
        self._mbox = mbox
        self.descriptor = descriptor

    def records(self) -> Sequence[FoundRecord]:
        """Find the messages, and where they lie."""
        place, mbox = self._place, self._mbox
        with storage_errors(place.path):
            return list(
                records_of(mbox.descriptor, first=place.first, unquote=place.unquote, keep_alive=mbox.keep_alive)
            )

    def find(self) -> Found:
        """Say what it holds (``spool.carrying.carry.OpenSource.find``)."""
        place, mbox = self._place, self._mbox
        with storage_errors(place.path):
            messages = list(
                messages_of(self.descriptor, first=place.first, unquote=place.unquote, keep_alive=mbox.keep_alive)
            )
            if place.find_ids is not None:
                ids = place.find_ids(mbox)
                messages = [replace(message, unique_id=id_) for message, id_ in zip(messages, ids, strict=True)]
        return Found(messages, [message.identity for message in messages])

    def remove(self, taken: Sequence[str]) -> None:
        """Remove messages in place, with a journal (``spool.carrying.carry.OpenSource.remove``)."""
        wanted = Counter(taken)
        kept: list[tuple[int, int]] = []
        first: int | None = None
        end = 0
        for found in self.records():
            end = found.record.stop
            if wanted[found.identity]:
                wanted[found.identity] -= 1
                first = found.record.start if first is None else first
            elif first is not None:
                kept.append((found.record.start, found.record.stop))
        if first is not None:
            with storage_errors(self._place.path):
                size = os.fstat(self._mbox.descriptor).st_size
                rest = [(end, size)] if end < size else []
                keep_only(self._mbox, self._place.journal, [*kept, *rest], first=first)

    def remainder(self) -> int:
        """Say how many octets at the end are no mail: what a crash left of a message that was being written."""
        mbox = self._mbox
        with storage_errors(self._place.path):
            size = os.fstat(mbox.descriptor).st_size
            return size - sound_end(BlockReader(mbox.descriptor, size, before_block=mbox.keep_alive))


def check_alone(status: os.stat_result, path: Path) -> None:
    """See that a file is nobody else's as well, by a second name or by its mode.

    Raises:
        MailboxUnavailableError: it may be.
    """
    if status.st_nlink != 1:
        raise MailboxUnavailableError(
            f"{path}: has {status.st_nlink} names (hard links), of which one may be another's"
        )
    if status.st_mode & stat.S_IWOTH:
        raise MailboxUnavailableError(f"{path}: mode {stat.S_IMODE(status.st_mode):04o} lets anybody write to it")
