"""Kernel locks on open files: tried, never waited for.

Two kinds, which do not see each other on Linux: ``fcntl`` locks, taken as open file description locks (Linux 3.15), and
``flock`` locks. Classic ``fcntl`` locks of other programs conflict with ours, but ours differ in what matters here:
they belong to the descriptor and not to the process, so two sessions in one process exclude each other, and closing
another descriptor of the same file releases nothing. Both kinds end with the last descriptor: a killed process leaves
no lock behind.
"""

from __future__ import annotations

import enum
import errno
import fcntl
import os
import struct
from pathlib import Path
from typing import Final

from spool import durable
from spool.errors import MailboxUnavailableError

# struct flock: l_type, l_whence, l_start, l_len (0: to the end, however far the file grows), l_pid (0 for these locks).
_FLOCK: Final = struct.Struct("@hhqqi0q")
_HELD_BY_ANOTHER: Final = frozenset({errno.EAGAIN, errno.EACCES})
_ATTEMPTS: Final = 3


class LockKind(enum.Enum):
    """The kernel locks that mail programs use; the values are the names in ``[spool] mbox_locks``."""

    FCNTL = "fcntl"
    FLOCK = "flock"


def try_lock(descriptor: int, kind: LockKind = LockKind.FCNTL) -> bool:
    """Lock a whole file now, exclusively, or not at all.

    Args:
        descriptor: an open file; for an ``fcntl`` lock open for writing.
        kind: which of the two.

    Returns:
        False if a lock of the same kind, held through another open file, is in the way.

    Raises:
        MailboxUnavailableError: the file system cannot lock, or the kernel has no more locks.
    """
    try:
        if kind is LockKind.FCNTL:
            _set_fcntl(descriptor, fcntl.F_WRLCK)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD_BY_ANOTHER:
            return False
        raise MailboxUnavailableError(f"cannot take a {kind.value} lock: {error}") from error
    return True


def unlock(descriptor: int, kind: LockKind = LockKind.FCNTL) -> None:
    """Release the lock of this kind held through this descriptor, if there is one."""
    if kind is LockKind.FCNTL:
        _set_fcntl(descriptor, fcntl.F_UNLCK)
    else:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def open_locked(path: Path | str, *, lasting: bool = True, dir_fd: int | None = None) -> int | None:
    """Open one of our own files for reading and writing, made if missing, under an exclusive ``fcntl`` lock.

    The file is still the one at ``path`` once the lock is held: a lock on a file that somebody removed or replaced in
    between would exclude nobody.

    Args:
        path: the file; a relative one starts at the open directory ``dir_fd``.
        lasting: whether a file that is made must be there after a power cut, which costs a sync of its directory.
        dir_fd: as above.

    Returns:
        The descriptor, whose closing releases the lock, or None if another open file holds it.

    Raises:
        OSError: it cannot be opened, or it is a symbolic link or no regular file.
        MailboxUnavailableError: it cannot be locked.
    """
    for _ in range(_ATTEMPTS):
        descriptor = durable.open_for_update(path, create_mode=0o600, lasting=lasting, dir_fd=dir_fd)
        try:
            locked = try_lock(descriptor)
            current = locked and _is_at(descriptor, path, dir_fd)
        except BaseException:
            os.close(descriptor)
            raise
        if current:
            return descriptor
        os.close(descriptor)
        if not locked:
            break
    return None


def _set_fcntl(descriptor: int, type_: int) -> None:
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _FLOCK.pack(type_, os.SEEK_SET, 0, 0, 0))


def _is_at(descriptor: int, path: Path | str, dir_fd: int | None) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path, dir_fd=dir_fd, follow_symlinks=False))
    except FileNotFoundError:
        return False
