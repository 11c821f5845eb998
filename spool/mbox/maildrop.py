"""An mbox as one POP3 session sees it.

A message is read without the mbox's locks: its digest is taken once more while it is sent, and the last piece of it is
handed over only if it is still the digest the snapshot saw. So a client gets a whole message or an error, whatever
other programs do meanwhile, and a slow disk or a program that sits on the locks holds up nobody.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Final

from spool.durable import storage_errors
from spool.errors import MailboxBusyError, MailboxChangedError, MailboxUnavailableError, SpoolError
from spool.mailbox import MailboxLocation, MessageFacts
from spool.mbox.blocks import read_at
from spool.mbox.dates import date_of
from spool.mbox.from_line import MARK
from spool.mbox.journal import journal_path, keep_only
from spool.mbox.locks import HeldMbox
from spool.mbox.memory import MboxMemory
from spool.mbox.open_file import OpenFile
from spool.mbox.read_mark import load_read_mark, save_read_mark
from spool.mbox.snapshot import Snapshot
from spool.mbox.taking import still_holds
from spool.mbox.view import MessageView
from spool.session_lock import SessionLock
from spool.stamps import stamp_of
from spool.unique_ids import UniqueIdFile
from spool.wire import WireEncoder

_PIECE_OCTETS: Final = 63 * 1024  # doubled by line ends, and with what was held back before, at most 128 KiB
_SECOND: Final = 1_000_000_000  # nanoseconds


@dataclass(frozen=True, slots=True)
class OpenedMbox:
    """What a maildrop is made of.

    Attributes:
        location: the mailbox.
        snapshot: its messages.
        file: the mbox, None if there is none yet.
        lock: the session lock, None when the snapshot is shared.
        locked: opens the mbox under its locks, a removal that a crash interrupted completed.
        unquote: whether to undo mboxrd quoting.
        memory: what other sessions shall know of it.
    """

    location: MailboxLocation
    snapshot: Snapshot
    file: OpenFile | None
    lock: SessionLock | None
    locked: Callable[[], AbstractContextManager[HeldMbox]]
    unquote: bool
    memory: MboxMemory

    def close(self) -> None:
        """Release the session lock and the file."""
        if self.file is not None:
            self.file.close()
        if self.lock is not None:
            self.lock.release()


class MboxMaildrop:
    """A snapshot of an mbox and the open file behind it (``spool.mailbox.Maildrop``).

    Raises:
        SpoolError: unique-ids or the read mark cannot be read; ``mbox`` stays the caller's.
    """

    def __init__(self, mbox: OpenedMbox) -> None:
        self._mbox = mbox
        self._path = mbox.location.path
        self._changed = False
        with storage_errors(self._path):
            self._unique_ids = mbox.memory.assign_ids(mbox.snapshot)
            self._last_accessed = max(mbox.snapshot.last_read, load_read_mark(mbox.location, self._unique_ids))

    @property
    def wire_octets(self) -> Sequence[int]:
        """Size of each message as it is shown, which is not its size in the file."""
        return self._mbox.snapshot.wire_octets

    @property
    def unique_ids(self) -> Sequence[str]:
        """What UIDL shows for each message."""
        return self._unique_ids

    @property
    def last_accessed(self) -> int:
        """Highest number that was read over POP3, or that a mail reader has marked with ``Status: R``."""
        return self._last_accessed

    @property
    def read_only(self) -> bool:
        """Whether another session has the lock."""
        return self._mbox.lock is None

    def open_message(self, number: int) -> MboxReader:
        """Open a message (``spool.mailbox.Maildrop.open_message``)."""
        if not 1 <= number <= len(self._unique_ids) or self._mbox.file is None:
            raise IndexError(number)
        with storage_errors(self._path), self._mbox.file.used():
            self._check_file()
        start, stop = self._mbox.snapshot.content(number)
        key = self._mbox.snapshot.keys[number - 1]
        return MboxReader(self._mbox.file, start, stop, lambda found: self._check_key(number, key, found), self._mbox)

    def facts(self, number: int) -> MessageFacts:
        """Tell what is known of a message (``spool.mailbox.Maildrop.facts``); it arrived when its From_ line says."""
        if not 1 <= number <= len(self._unique_ids) or self._mbox.file is None:
            raise IndexError(number)
        start, stop = self._mbox.snapshot.span(number)
        with storage_errors(self._path), self._mbox.file.used() as descriptor:
            self._check_file()
            from_line = read_at(descriptor, start, self._mbox.snapshot.content(number)[0] - start)
        if not from_line.startswith(MARK):
            raise self._was_changed(f"message {number} is not where it was")
        return MessageFacts(stop - start, date_of(from_line), fetched=number <= self._last_accessed)

    def commit(self, *, deleted: AbstractSet[int], retrieved: AbstractSet[int]) -> None:
        """Remove ``deleted`` from the file and remember how far it was read.

        Holds when it returns. A crash before that leaves the mbox as it was, or with a journal from which the next
        session or delivery completes the removal (``spool.mbox.journal``).

        Nothing is written into the messages that stay: see ``spool.mbox.read_mark``.

        Raises:
            MailboxBusyError: the snapshot is shared, or the mbox's locks were not free in time.
            MailboxChangedError: another program rewrote the mbox; nothing was removed.
            SpoolError: the messages may not have been removed.
        """
        if self.read_only:
            raise MailboxBusyError(f"{self._path}: shared with another session, which alone may change it")
        if self._mbox.file is None:
            return
        with storage_errors(self._path), self._mbox.file.used() as descriptor:
            if deleted:
                self._remove(deleted)
            elif retrieved:
                before = os.fstat(descriptor)
                self._note_reading(descriptor, before, arrived=self._has_grown(before))
            highest = max(retrieved - deleted, default=0)
            if highest > self._last_accessed:
                # A mark that cannot be made is no reason to tell the client that its deletions failed.
                with suppress(OSError):
                    save_read_mark(self._mbox.location, self._unique_ids[highest - 1])

    def close(self) -> None:
        """Release the session lock and the file. May be called twice, and from another thread."""
        self._mbox.close()

    def _remove(self, deleted: AbstractSet[int]) -> None:
        if self._changed:
            raise MailboxChangedError(f"{self._path}: was rewritten during the session")
        ids = [self._unique_ids[number - 1] for number in sorted(deleted)]
        unique_id_file = UniqueIdFile(self._mbox.location)
        try:
            with self._mbox.locked() as mbox:
                try:
                    first, kept = self._mbox.snapshot.removal(mbox, deleted)
                except MailboxChangedError as error:
                    raise self._was_changed(str(error)) from error
                before = os.fstat(mbox.descriptor)
                known = still_holds(self._mbox.snapshot, mbox)
                unique_id_file.announce_removal(ids)
                self._mbox.memory.forget()
                keep_only(mbox, journal_path(self._mbox.location), kept, first=first)
                self._note_reading(mbox.descriptor, before, arrived=self._has_grown(before))
                if known:
                    self._mbox.memory.cut(self._mbox.snapshot.before(min(deleted), mbox))
        except FileNotFoundError as error:
            raise self._was_changed("is gone") from error
        # The messages are removed; an id that is kept on does no harm.
        with suppress(SpoolError):
            unique_id_file.forget(ids)

    def _note_reading(self, descriptor: int, before: os.stat_result, *, arrived: bool) -> None:
        # Mail is new for shells and biffs while the mbox was changed later than read. Our removing is no new mail, and
        # mail that arrived during the session was not read. A second more, as qmail does: equal times tell nothing.
        access = before.st_atime_ns if arrived else max(before.st_atime_ns, before.st_mtime_ns + _SECOND)
        with suppress(OSError):  # a wrong notice is no reason to tell the client that its deletions failed
            os.utime(descriptor, ns=(access, before.st_mtime_ns))
            self._mbox.memory.mark(stamp_of(before), stamp_of(os.fstat(descriptor)))

    def _has_grown(self, status: os.stat_result) -> bool:
        return status.st_size > self._mbox.snapshot.end

    def _check_file(self) -> None:
        try:
            found = self._path.lstat()
        except FileNotFoundError as error:
            raise self._was_changed("is gone") from error
        snapshot = self._mbox.snapshot
        if (found.st_dev, found.st_ino) != snapshot.identity or found.st_size < snapshot.end:
            raise self._was_changed("was replaced or became shorter")

    def _check_key(self, number: int, key: str, found: str | None) -> None:
        if found != key:
            raise self._was_changed(f"message {number} is not where it was")

    def _was_changed(self, how: str) -> MailboxChangedError:
        self._changed = True
        self._mbox.memory.forget()
        return MailboxChangedError(f"{self._path}: {how}")


class MboxReader:
    """Reads one message of the open mbox in wire form (``spool.mailbox.MessageReader``).

    Args:
        file: the mbox.
        start: where the message's header begins.
        stop: where the message ends.
        check_key: called with the message's key before the last piece is given, or with None if it is cut short;
            raises if that is not the message's.
        mbox: for errors and settings.
    """

    __slots__ = ("_check_key", "_encoder", "_file", "_mbox", "_position", "_stop", "_view")

    def __init__(
        self, file: OpenFile, start: int, stop: int, check_key: Callable[[str | None], None], mbox: OpenedMbox
    ) -> None:
        self._file: OpenFile | None = file
        self._position = start
        self._stop = stop
        self._check_key = check_key
        self._mbox = mbox
        self._view = MessageView(unquote=mbox.unquote)
        self._encoder = WireEncoder()

    def read(self) -> bytes:
        """Return the next piece, at most 128 KiB; empty at the end."""
        if self._file is None:
            raise MailboxUnavailableError(f"{self._mbox.location.path}: the message is closed already")
        wire = b""
        while not wire and self._position < self._stop:
            with storage_errors(self._mbox.location.path), self._file.used() as descriptor:
                stored = read_at(descriptor, self._position, min(_PIECE_OCTETS, self._stop - self._position))
            if not stored:
                self._check_key(None)
            wire = self._wire_form(stored)
        return wire

    def close(self) -> None:
        """Give the message up; the file stays the maildrop's. May be called twice."""
        self._file = None

    def _wire_form(self, stored: bytes) -> bytes:
        self._position += len(stored)
        wire = self._encoder.encode(self._view.feed(stored))
        if self._position == self._stop:
            wire += self._encoder.encode(self._view.finish()) + self._encoder.finish()
            self._check_key(self._view.key())
        return wire
