"""When each user has the message: woken by inotify, told by the file's change time."""

from __future__ import annotations

import ctypes
import os
import select
import struct
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

_LIBC = ctypes.CDLL(None, use_errno=True)
_MOVED_TO_OR_CREATED = 0x80 | 0x100  # inotify(7)
_EVENT = struct.Struct("iIII")


class Arrivals:
    """Watches directories for the first file in each.

    The instant is the file's change time, which the rename or link into the directory sets; the kernel counts it in
    ticks, up to 4 ms.
    """

    def __init__(self, directories: Mapping[str, Path]) -> None:
        self._directories = directories
        self._descriptor = _LIBC.inotify_init1(os.O_CLOEXEC)
        self._watched: dict[int, str] = {}
        for name, directory in directories.items():
            watch = _LIBC.inotify_add_watch(self._descriptor, os.fsencode(directory), _MOVED_TO_OR_CREATED)
            if watch < 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), str(directory))
            self._watched[watch] = name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def wait(self, seconds: float) -> Collection[str]:
        """Wait until everybody has a file; the names of those who have none by then."""
        missing = set(self._directories)
        end = time.monotonic() + seconds
        while missing and (left := end - time.monotonic()) > 0:
            if not select.select([self._descriptor], [], [], left)[0]:
                break
            time.sleep(0.02)  # so that one read takes many: the watcher must not cost what it watches
            events = os.read(self._descriptor, 1 << 20)
            offset = 0
            while offset < len(events):
                watch, _, _, octets = _EVENT.unpack_from(events, offset)
                offset += _EVENT.size + octets
                missing.discard(self._watched[watch])
        return missing

    def instants(self) -> Mapping[str, list[float]]:
        """For each user when each of their files arrived, in seconds since 1970."""
        return {
            name: sorted(entry.stat().st_ctime for entry in os.scandir(directory))
            for name, directory in self._directories.items()
        }
