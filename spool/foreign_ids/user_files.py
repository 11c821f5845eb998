"""Reading files that users own, or an operator names: never through a link, never a device, never without bound."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final, NamedTuple

from spool.errors import ForeignIdsError

FILE_OCTETS_MAX: Final = 64 * 1024 * 1024
"""Of a list of ids: more than half a million messages."""

_SAFELY: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class ListFile(NamedTuple):
    """A file that was read, and its path for errors."""

    path: Path
    data: bytes


def read_list(path: Path) -> ListFile:
    """Read a file of the old server's.

    Raises:
        ForeignIdsError: it is not there, no regular file, a link, too large, or cannot be read.
    """
    return ListFile(path, _read(path, secret=False))


def read_secrets(path: Path) -> bytes:
    """Read a file with passwords, which must belong to us and be readable to nobody else.

    Raises:
        ForeignIdsError: it is not so, or cannot be read.
    """
    return _read(path, secret=True)


def _read(path: Path, *, secret: bool) -> bytes:
    try:
        descriptor = os.open(path, _SAFELY)
        try:
            _check(path, os.fstat(descriptor), secret=secret)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read(FILE_OCTETS_MAX)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ForeignIdsError(f"{path}: {error.strerror}") from error


def _check(path: Path, status: os.stat_result, *, secret: bool) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ForeignIdsError(f"{path}: not a regular file")
    if status.st_size > FILE_OCTETS_MAX:
        raise ForeignIdsError(f"{path}: {status.st_size} octets, more than {FILE_OCTETS_MAX}")
    if secret and (status.st_mode & _OTHERS or status.st_uid != os.geteuid()):
        raise ForeignIdsError(
            f"{path}: expected mode 0600 and owner {os.geteuid()}, "
            f"found {stat.S_IMODE(status.st_mode):04o} and {status.st_uid}"
        )
