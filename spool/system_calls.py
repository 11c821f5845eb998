"""System calls of Linux that Python's ``os`` does not have. Only ``spool.durable`` makes them."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path
from typing import Any, Final

_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2

_libc: Final = ctypes.CDLL(None, use_errno=True)


def exchange(one: Path, other: Path) -> None:
    """Exchange two names in one step: renameat2(2) with ``RENAME_EXCHANGE`` (Linux 3.15, glibc 2.28).

    Raises:
        OSError: with ``ENOSYS`` or ``EINVAL`` if the library, the kernel or the file system cannot.
    """
    _call("renameat2", _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), ctypes.c_uint(_RENAME_EXCHANGE))


def sync_file_system(descriptor: int) -> None:
    """Write everything that was changed on the file system of an open file to its disk: syncfs(2).

    Raises:
        OSError: it could not be written.
    """
    _call("syncfs", descriptor)


def _call(name: str, *arguments: Any) -> None:
    function = getattr(_libc, name, None)
    if function is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), name)
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
