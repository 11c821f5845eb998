"""One user's mbox: delivery, and sessions."""

from __future__ import annotations

import contextlib
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Final

from spool.durable import storage_errors
from spool.errors import MailboxBusyError
from spool.kept_snapshots import KEEPS_NOTHING, KeptSnapshots
from spool.mailbox import Delivered, Envelope, MailboxLocation
from spool.mbox.batch import append_batch, batch_path, finish_batch
from spool.mbox.delivery import append_message
from spool.mbox.from_line import make_from_line
from spool.mbox.journal import finish_removal, journal_path
from spool.mbox.locks import HeldMbox, MboxLocks, Timing
from spool.mbox.maildrop import MboxMaildrop, OpenedMbox
from spool.mbox.memory import MboxMemory
from spool.mbox.open_file import OpenFile
from spool.mbox.snapshot import NOTHING, Snapshot
from spool.mbox.stored_form import StoredForm
from spool.mbox.taking import take_snapshot
from spool.session_lock import SessionLock
from spool.settings import SpoolSettings
from spool.state import make_state_directory

_MEMORY_OCTETS: Final = 1024 * 1024
"""Longer messages wait on disk for the mbox's locks."""


class MboxMailbox:
    """An mbox (``spool.mailbox.Mailbox``).

    Args:
        location: where it is; the file need not exist yet.
        settings: which locks to take and for how long, and whether to undo mboxrd quoting.
        kept: what this process remembers of mailboxes.
        monotonic: seconds from an arbitrary moment.
        sleep: wait for so many seconds, for locks.
        jitter: a random number from 0 to 1, for pauses.
        now: seconds since 1970, for From_ lines.
        clock_ns: nanoseconds since 1970, to tell which changes are young.
    """

    def __init__(
        self,
        location: MailboxLocation,
        settings: SpoolSettings,
        *,
        kept: KeptSnapshots = KEEPS_NOTHING,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        now: Callable[[], float] = time.time,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.location = location
        self._kept = kept
        self._clock_ns = clock_ns
        self._unquote = settings.mbox_unquote
        self._now = now
        self._locks = MboxLocks(
            path=location.path,
            uid=location.uid,
            kinds=settings.mbox_locks,
            lock_seconds=settings.mbox_lock_seconds,
            stale_seconds=settings.mbox_dotlock_stale_seconds,
            timing=Timing(monotonic, sleep, jitter),
        )

    def deliver(self, message: Iterable[bytes], envelope: Envelope) -> Delivered:
        """Append a message (``spool.mailbox.Mailbox.deliver``).

        The message is taken whole before the mbox is locked: a slow sender holds up nobody. Its line ends become LF,
        its From-lines are quoted, and storage fields of its header are left out (``spool.mbox.stored_form``).

        Holds when it returns; a crash before that may leave a torn beginning of the message at the end of the file,
        which the next delivery closes off (``spool.mbox.delivery``).
        """
        make_state_directory(self.location)
        with _scratch_file(self.location.state) as stored:
            wire_octets = self._store(message, stored)
            from_line = make_from_line(envelope.sender, self._now())
            with storage_errors(self.location.path), self._locked(create=not self.location.found) as mbox:
                offset = append_message(mbox, from_line, stored)
            stored_octets = len(from_line) + stored.tell() + len(b"\n")
        return Delivered(str(offset), wire_octets, stored_octets)

    def append_batch(self, staged: Path) -> None:
        """Append the messages of a staged file, each exactly once (``spool.mbox.batch``); it is gone when this returns.

        If it is gone already, what a crash interrupted is completed.
        """
        with storage_errors(self.location.path), self._locked(create=not self.location.found) as mbox:
            if staged.exists():
                append_batch(mbox, staged, batch_path(self.location))

    def locked(self) -> AbstractContextManager[HeldMbox]:
        """Hold the mbox under its locks, with whatever a crash interrupted completed, for reading it outside a session.

        Raises:
            MailboxBusyError: the locks were not free in time.
            SpoolError: it cannot be opened.
            FileNotFoundError: there is none.
        """
        return self._locked()

    def open_maildrop(self, *, share: bool = False) -> MboxMaildrop:
        """Take the session lock and a snapshot (``spool.mailbox.Mailbox.open_maildrop``)."""
        try:
            lock = SessionLock(self.location)
        except MailboxBusyError:
            if not share:
                raise
            lock = None
        with contextlib.ExitStack() as releases:
            if lock is not None:
                releases.callback(lock.release)
            memory = MboxMemory(self.location, self._kept, writing=lock is not None, clock_ns=self._clock_ns)
            with storage_errors(self.location.path):
                snapshot, file = self._read(memory.find())
            mbox = OpenedMbox(self.location, snapshot, file, lock, self._locked, self._unquote, memory)
            releases.callback(mbox.close)
            maildrop = MboxMaildrop(mbox)
            releases.pop_all()
        return maildrop

    def _store(self, message: Iterable[bytes], stored: IO[bytes]) -> int:
        form = StoredForm(unquote=self._unquote)
        for piece in message:
            # Only our own writing: trouble of whoever sends the message is not the mailbox's.
            with storage_errors(self.location.path):
                stored.write(form.feed(piece))
        with storage_errors(self.location.path):
            stored.write(form.finish())
            stored.seek(0)  # writes what is still buffered
        return form.wire_octets

    def _read(self, known: Snapshot | None) -> tuple[Snapshot, OpenFile | None]:
        try:
            with self._locked() as mbox:
                snapshot = take_snapshot(mbox, unquote=self._unquote, known=known)
                return snapshot, OpenFile(os.dup(mbox.descriptor))
        except FileNotFoundError:
            if self.location.found:
                raise  # it was moved since
            self.location.path.parent.stat()  # without its directory the mbox is elsewhere now, and not empty
            return NOTHING, None

    @contextlib.contextmanager
    def _locked(self, *, create: bool = False) -> Iterator[HeldMbox]:
        with self._locks.held(create=create) as mbox:
            finish_removal(mbox, journal_path(self.location))
            finish_batch(mbox, batch_path(self.location))
            yield mbox


@contextlib.contextmanager
def _scratch_file(directory: Path) -> Iterator[IO[bytes]]:
    """A file for a message that comes in; in memory while it is small, and without a name when it is not."""
    stored = tempfile.SpooledTemporaryFile(_MEMORY_OCTETS, dir=str(directory))  # noqa: SIM115 - closed below
    try:
        yield stored
    finally:
        # Closing writes what is still buffered, which nobody needs any more: its trouble would hide the real one.
        with contextlib.suppress(OSError):
            stored.close()
