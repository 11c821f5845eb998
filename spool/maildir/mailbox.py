"""One user's Maildir: delivery, and opening it for a session."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from spool import durable
from spool.errors import MailboxBusyError
from spool.kept_snapshots import KEEPS_NOTHING, KeptSnapshots
from spool.mailbox import Delivered, Envelope, MailboxLocation
from spool.maildir.current import current_snapshot
from spool.maildir.directories import MessageDirectories, opened_directories, sweep_tmp
from spool.maildir.maildrop import MaildirMaildrop
from spool.maildir.names import UniqueNames, with_sizes
from spool.session_lock import SessionLock
from spool.wire import WireCounter

_NAMES: Final = UniqueNames()


class MaildirMailbox:
    """A mailbox in Maildir format (``spool.mailbox.Mailbox``).

    Args:
        location: where it lies; ``location.path`` must exist, with ``tmp``, ``new`` and ``cur``.
        kept: what this process remembers of mailboxes.
        names: makes the names of new messages.
        clock_ns: nanoseconds since 1970, to tell which files in ``tmp`` are old, and which changes are young.
    """

    def __init__(
        self,
        location: MailboxLocation,
        *,
        kept: KeptSnapshots = KEEPS_NOTHING,
        names: UniqueNames = _NAMES,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.location = location
        self._kept = kept
        self._names = names
        self._clock_ns = clock_ns

    def deliver(self, message: Iterable[bytes], envelope: Envelope) -> Delivered:  # noqa: ARG002 - Maildir keeps none
        """Deliver into ``new``; the message is stored as it is, and the envelope is not.

        Holds from the sync of ``new`` on, when it returns; only then may it be acknowledged. A crash before it may
        leave the message in ``tmp`` (swept after 36 hours), in ``new``, or nowhere; the sender was told nothing and
        tries again. A crash after it changes nothing. When it fails, nothing is left.

        Raises:
            SpoolError: it was not delivered; a missing Maildir is never made here.
        """
        counter = WireCounter()
        name = self._names.make()
        with (
            durable.storage_errors(self.location.path),
            opened_directories(self.location.path, "tmp", "new") as (tmp, new),
        ):
            octets = durable.create_file(name, _counted(message, counter), dir_fd=tmp)
            # The sizes are known only now, and nobody reads the names in tmp.
            final = with_sizes(name, disk_octets=octets, wire_octets=counter.octets)
            try:
                durable.rename(name, final, source_dir_fd=tmp, target_dir_fd=new)
                durable.sync_file(new)
            except BaseException:
                for directory, left in ((tmp, name), (new, final)):
                    with contextlib.suppress(OSError):
                        durable.remove(left, dir_fd=directory)
                raise
        return Delivered(final, counter.octets, octets)

    def open_maildrop(self, *, share: bool = False) -> MaildirMaildrop:
        """Take the session lock and a snapshot (``spool.mailbox.Mailbox.open_maildrop``)."""
        try:
            lock = SessionLock(self.location)
        except MailboxBusyError:
            if not share:
                raise
            return self._open(None)
        try:
            # Left files are in nobody's way, so trouble with them is not the session's.
            with contextlib.suppress(OSError):
                sweep_tmp(self.location.path, self._clock_ns() / 1e9)
            return self._open(lock)
        except BaseException:
            lock.release()
            raise

    def _open(self, lock: SessionLock | None) -> MaildirMaildrop:
        with durable.storage_errors(self.location.path):
            directories = MessageDirectories(self.location.path)
            try:
                snapshot = current_snapshot(
                    self.location,
                    directories,
                    self._kept,
                    make_name=self._names.make if lock else None,
                    clock_ns=self._clock_ns,
                )
                return MaildirMaildrop(self.location, directories, snapshot, lock)
            except BaseException:
                directories.close()
                raise


def _counted(pieces: Iterable[bytes], counter: WireCounter) -> Iterator[bytes]:
    for piece in pieces:
        counter.add(piece)
        yield piece
