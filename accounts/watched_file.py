"""A small file that is read again when it changes, and not before."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

from spool.errors import SettingsError

PRIVATE: Final = 0o077
"""Permissions a file with secrets must not give: anything to group or others."""

TRUSTED: Final = 0o022
"""Permissions a file that says who is who must not give: writing to group or others."""

MAX_FILE_OCTETS: Final = 256 * 1024 * 1024

_Content = TypeVar("_Content")


class WatchedFile(Generic[_Content]):
    """Keeps what ``parse`` made of a file, as long as inode, change time and size stay the same.

    A missing file has the content of an empty one. Not safe for two threads at once.
    """

    def __init__(self, path: Path, parse: Callable[[Path, bytes], _Content], *, forbidden_mode: int) -> None:
        self.path = path
        self._parse = parse
        self._forbidden_mode = forbidden_mode
        self._version: tuple[int, ...] = ()
        self._content = parse(path, b"")

    def content(self) -> _Content:
        """The file's content as it is now; costs one ``stat`` while nothing changes.

        Raises:
            SettingsError: it cannot be read, is open to others, or is wrong; the message names file and line.
        """
        try:
            version = _version(self.path.stat())
            if version != self._version:
                version, octets = self._read()
                self._content, self._version = self._parse(self.path, octets), version
        except FileNotFoundError:
            self._content, self._version = self._parse(self.path, b""), ()
        except OSError as error:
            raise SettingsError(f"{self.path}: {error.strerror}") from error
        return self._content

    def _read(self) -> tuple[tuple[int, ...], bytes]:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with contextlib.closing(os.fdopen(descriptor, "rb")) as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise SettingsError(f"{self.path}: expected a regular file")
            if status.st_mode & self._forbidden_mode:
                raise SettingsError(
                    f"{self.path}: expected mode {0o666 & ~self._forbidden_mode:04o} or less, "
                    f"found {stat.S_IMODE(status.st_mode):04o}"
                )
            if status.st_size > MAX_FILE_OCTETS:
                raise SettingsError(f"{self.path}: expected at most {MAX_FILE_OCTETS} octets, found {status.st_size}")
            return _version(status), file.read()


def _version(status: os.stat_result) -> tuple[int, ...]:
    # The change time as well: it shows a chmod, which decides whether the file may be used.
    return (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
