"""The locks that mail programs agree on before they touch an mbox, taken together and in order.

Nothing here waits in the kernel. If one lock is not free those before it are released, so that programs with another
order cannot deadlock with us, and after a pause of random length all are tried again. They are held while an mbox is
scanned or written, never while a message is sent to a client or read from one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spool import durable
from spool.errors import MailboxBusyError, MailboxUnavailableError
from spool.kernel_locks import LockKind, try_lock, unlock
from spool.mbox.dotlock import DotLock

DOTLOCK: Final = "dotlock"

_FIRST_PAUSE_SECONDS: Final = 0.02
_PAUSE_SECONDS_MAX: Final = 0.5
_REFRESH_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Timing:
    """Where time and chance come from, so that a test can hold them still.

    Attributes:
        monotonic: seconds from an arbitrary moment.
        sleep: wait for so many seconds.
        jitter: a random number from 0 to 1.
    """

    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    jitter: Callable[[], float]


class HeldMbox:
    """An open mbox under its locks."""

    __slots__ = ("_dotlock", "_monotonic", "_refreshed_at", "descriptor")

    def __init__(self, descriptor: int, dotlock: DotLock | None, monotonic: Callable[[], float]) -> None:
        self.descriptor = descriptor
        self._dotlock = dotlock
        self._monotonic = monotonic
        self._refreshed_at = monotonic()

    def keep_alive(self) -> None:
        """Say that the locks are in use; cheap, for calling often while they are held for long."""
        if self._dotlock and self._monotonic() - self._refreshed_at >= _REFRESH_SECONDS:
            self._refreshed_at = self._monotonic()
            self._dotlock.refresh()


@dataclass(frozen=True, slots=True)
class MboxLocks:
    """The locks of one mbox.

    Attributes:
        path: the mbox.
        uid: who must own it.
        kinds: the locks in the order to take them: ``fcntl``, ``flock``, ``dotlock``.
        lock_seconds: how long to try.
        stale_seconds: from which age on another's dot-lock is broken.
    """

    path: Path
    uid: int
    kinds: tuple[str, ...]
    lock_seconds: float
    stale_seconds: float
    timing: Timing

    @contextlib.contextmanager
    def held(self, *, create: bool = False) -> Iterator[HeldMbox]:
        """Open the mbox, for reading and writing, and hold its locks.

        The file is the one that has the name once the locks are held. Its access time does not change by reading.

        Args:
            create: make a missing file, for its owner only; otherwise it is a ``FileNotFoundError``.

        Raises:
            MailboxBusyError: the locks were not free within ``lock_seconds``.
            MailboxUnavailableError: not a regular file of its owner, or it cannot be locked.
            OSError: it cannot be opened.
        """
        deadline = self.timing.monotonic() + self.lock_seconds
        pause = _FIRST_PAUSE_SECONDS
        while True:
            with ExitStack() as releases:
                if (mbox := self._try(releases, create=create)) is not None:
                    yield mbox
                    return
            if self.timing.monotonic() >= deadline:
                raise MailboxBusyError(f"{self.path}: locks not free within {self.lock_seconds:g} seconds")
            self.timing.sleep(pause * (0.5 + self.timing.jitter()))
            pause = min(2 * pause, _PAUSE_SECONDS_MAX)

    def _try(self, releases: ExitStack, *, create: bool) -> HeldMbox | None:
        descriptor = durable.open_for_update(self.path, create_mode=0o600 if create else None)
        releases.callback(os.close, descriptor)
        if os.fstat(descriptor).st_uid != self.uid:
            raise MailboxUnavailableError(f"{self.path}: not owned by uid {self.uid}")
        # New-mail notices compare access and change time: looking for mail must not look like reading it.
        fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_NOATIME)
        dotlock = None
        for kind in self.kinds:
            if kind == DOTLOCK:
                dotlock = DotLock(self.path, stale_seconds=self.stale_seconds)
                releases.callback(dotlock.release)
                free = self._try_dotlock(dotlock)
            else:
                free = try_lock(descriptor, LockKind(kind))
                releases.callback(unlock, descriptor, LockKind(kind))
            if not free:
                return None
        return HeldMbox(descriptor, dotlock, self.timing.monotonic) if self._is_current(descriptor) else None

    def _try_dotlock(self, dotlock: DotLock) -> bool:
        try:
            return dotlock.try_acquire()
        except PermissionError as error:
            # To go on without it would mean to corrupt the mbox of somebody who relies on it.
            raise MailboxUnavailableError(
                f"{self.path}: no right to make a dot-lock beside it, see [spool] dotlock_group and mbox_locks: {error}"
            ) from error

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.lstat())
        except FileNotFoundError:
            return False
