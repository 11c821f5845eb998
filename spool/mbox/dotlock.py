"""Dot-locks: ``NAME.lock`` beside the mbox ``NAME``, made so that it also works over NFS, and tried, never waited for.

A file of our own under a unique name is linked to ``NAME.lock``. Whether that worked is read from the file's link count
and not from the reply to ``link``, which NFS may lose. A *stale* lock, left by a program that was killed, is known by
its age on the file server's clock: by the time stamp of our own fresh file, not by our host's. Where the lock is one of
ours and its process on this host is gone, nobody waits for it to age.

In a directory where others can write, nobody's link or file is ever followed or written to: we write only to the file
we have just made exclusively, and only look at ``NAME.lock`` itself.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from pathlib import Path
from typing import Final

_OWN_OCTETS_MAX: Final = 400
_LOCK_OCTETS_MAX: Final = 1024  # other programs write a process number, some a host's name, most nothing
_OWN: Final = re.compile(r"([1-9]\d{0,8})\n(\S{1,300})\n")


class DotLock:
    """The dot-lock of one mbox, as one delivery or session sees it.

    It is no mail, so it is neither synced nor made through ``spool.durable``: after a power cut it may be there or not.

    All methods let ``OSError`` pass; ``PermissionError`` means that we may not make files in the directory.

    Args:
        mbox: the mbox.
        stale_seconds: from which age on another's lock is broken.
    """

    __slots__ = ("_descriptor", "_path", "_stale_seconds")

    def __init__(self, mbox: Path, *, stale_seconds: float) -> None:
        self._path = mbox.with_name(f"{mbox.name}.lock")
        self._stale_seconds = stale_seconds
        # Open while the lock is held: else, if another breaks it, his own lock could get the inode number of ours.
        self._descriptor: int | None = None

    def try_acquire(self) -> bool:
        """Take the lock, breaking a stale one; False if another holds it."""
        fresh = self._path.with_name(f".lk{secrets.token_hex(8)}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        self._descriptor = descriptor
        acquired = False
        try:
            # A full disk has room for a name, seldom for octets: an empty lock locks as well, and its owner must be
            # able to delete mail.
            with contextlib.suppress(OSError):
                os.write(descriptor, f"{os.getpid()}\n{_host()}\n".encode())
            self._break_stale(os.fstat(descriptor).st_mtime)
            with contextlib.suppress(FileExistsError):
                os.link(fresh, self._path, follow_symlinks=False)
            acquired = os.fstat(descriptor).st_nlink == 2
        finally:
            with contextlib.suppress(OSError):  # left under that name it is in nobody's way
                fresh.unlink()
            if not acquired:
                self.release()
        return acquired

    def refresh(self) -> None:
        """Make a lock that is held look fresh; to be called now and then while holding it for long."""
        if self._descriptor is not None:
            os.utime(self._descriptor)

    def release(self) -> None:
        """Remove the lock if it is still ours. Does nothing if it is not held.

        Raises nothing: what was done under the lock is done, and a lock that cannot be removed becomes stale.
        """
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        with contextlib.suppress(OSError):
            found = self._stat()
            if found is not None and os.path.samestat(found, os.fstat(descriptor)):
                self._path.unlink()
        os.close(descriptor)

    def _stat(self) -> os.stat_result | None:
        try:
            return self._path.lstat()
        except FileNotFoundError:
            return None

    def _break_stale(self, server_time: float) -> None:
        found = self._stat()
        if found is None or not _may_be_lock(found):
            return
        if server_time - found.st_mtime < self._stale_seconds and not self._is_orphan():
            return
        # Between look and removal another may have broken it and taken the lock anew: rename, look again, put back.
        aside = self._path.with_name(f".lk{secrets.token_hex(8)}")
        try:
            self._path.rename(aside)
        except FileNotFoundError:
            return
        moved = aside.lstat()
        if not os.path.samestat(moved, found) or moved.st_mtime != found.st_mtime:
            with contextlib.suppress(FileExistsError):
                os.link(aside, self._path, follow_symlinks=False)
        aside.unlink()

    def _is_orphan(self) -> bool:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                content = os.read(descriptor, _OWN_OCTETS_MAX)
            finally:
                os.close(descriptor)
        except OSError:
            return False
        own = _OWN.fullmatch(content.decode("latin-1"))
        return own is not None and own[2] == _host() and not _is_running(int(own[1]))


def _may_be_lock(status: os.stat_result) -> bool:
    # Somebody may have a mailbox of that name: no age makes a directory, or a file with mail in it, a lock.
    return stat.S_ISLNK(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_size <= _LOCK_OCTETS_MAX)


def _is_running(process: int) -> bool:
    # Not by looking into /proc, which may hide the processes of other users.
    try:
        os.kill(process, 0)
    except OSError as error:
        return error.errno != errno.ESRCH
    return True


def _host() -> str:
    # A process number means something only within its host and its PID namespace.
    return f"{os.uname().nodename}/{Path('/proc/self/ns/pid').readlink()}"
