"""The exclusive lock of one POP3 session on one maildrop.

It is a kernel lock on a file of our own (``.lock`` in the state directory), so it ends with the process, whatever kills
it; deliveries and other programs neither take nor notice it. There is no table of open maildrops inside the process
beside it: such a table is needed with classic ``fcntl`` locks, which one process cannot hold against itself, while open
file description locks (``spool.kernel_locks``) exclude two sessions of one process as well as of two, whichever way the
home was reached, because they belong to the file. The lock file's octets mean nothing. Who removes it while it is
locked makes a second session possible, which every mailbox kind survives without losing mail that is not marked.
"""

from __future__ import annotations

import os
import threading

from spool.durable import storage_errors
from spool.errors import MailboxBusyError
from spool.kernel_locks import open_locked
from spool.mailbox import MailboxLocation
from spool.state import open_state_directory


class SessionLock:
    """A session lock that is held; made by taking it.

    Taking it never waits: whoever wants to wait for another session tries again.

    Args:
        location: of the mailbox.
        home: the home, if it is open (``spool.homes.opened_home``); else it is looked up once more.

    Raises:
        MailboxBusyError: another session holds it, in this process or another.
        SpoolError: the lock file cannot be made or locked.
    """

    __slots__ = ("_descriptor", "_releasing")

    def __init__(self, location: MailboxLocation, *, home: int | None = None) -> None:
        name = f"{location.state_name}.lock"
        with storage_errors(location.state):
            state = open_state_directory(location, home=home)
            try:
                descriptor = open_locked(name, lasting=False, dir_fd=state)
            finally:
                os.close(state)
        if descriptor is None:
            raise MailboxBusyError(f"{location.state}/{name}: held by another session")
        self._descriptor: int | None = descriptor
        self._releasing = threading.Lock()

    def release(self) -> None:
        """Let another session begin. May be called twice, and from another thread."""
        with self._releasing:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None
