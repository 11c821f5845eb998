"""The directories that homes lie in: made before homes come, removed when they are empty, synced all at once.

They are named by text: to make a ``Path`` for each of very many homes would take longer than to move these.
"""

from __future__ import annotations

import contextlib
import functools
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeAlias

from spool import durable
from spool.moved_homes import way_up

DeviceOf: TypeAlias = Callable[[str], int]
"""Names the file system that an existing directory lies on. Homes are moved within one, and copied between two."""

_CACHED: Final = 2 * 65536  # the most even layout has so many directories


def device_of(directory: str) -> int:
    """Name the file system as the kernel does, links on the way followed."""
    return os.stat(directory).st_dev  # noqa: PTH116


def _attributes_of(directory: str) -> tuple[int, tuple[int, int]]:
    """Look at the mode of a directory, and at its owner and group."""
    status = os.stat(directory)  # noqa: PTH116
    return stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid)


class HashDirectories:
    """The directories below one spool root, and those of links and mboxes outside of it.

    What is done is remembered until ``sync``; nothing is looked at twice.

    Args:
        root: the spool root; directories made below it get its owner and mode.
        device_of: tells file systems apart.
    """

    def __init__(self, root: Path, *, device_of: DeviceOf = device_of) -> None:
        self._root = str(root)
        self._inside = f"{self._root}/"
        self._device_of = device_of
        self._there: set[str] = {self._root}
        self._touched: set[str] = set()
        self._way_up = functools.lru_cache(_CACHED)(lambda directory: way_up(directory, self._root))
        self._attributes = functools.lru_cache(_CACHED)(_attributes_of)
        self.device_below = functools.lru_cache(_CACHED)(self._device_below)

    def make(self, directory: str, *, like: str | None = None) -> None:
        """Make a directory, and those above it, where they are missing, like the root or like another one.

        Holds from ``sync`` on; a crash before that leaves some of them.

        Raises:
            OSError: one cannot be made.
        """
        if directory in self._there:
            return
        try:
            self._create(directory, like or self._root)
        except FileNotFoundError:
            self.make(directory.rpartition("/")[0], like=like)
            self._create(directory, like or self._root)
        except FileExistsError:
            if not os.path.isdir(directory):  # noqa: PTH112
                raise
        self._there.add(directory)

    def _create(self, directory: str, like: str) -> None:
        mode, owner = self._attributes(like)
        durable.create_directory(directory, mode=mode, owner=owner)
        self.touched(directory.rpartition("/")[0])

    def touched(self, directory: str) -> None:
        """Say that names in a directory were changed."""
        self._touched.add(directory)

    def sync(self) -> None:
        """Make durable what was changed since the last time: the file systems it was changed on are synced, each once.

        A batch touches up to as many directories as it has homes, and syncing each would take longer than all else.

        Raises:
            OSError: a file system cannot be synced.
        """
        there = filter(os.path.isdir, self._touched)
        places = {self._device_of(directory): directory for directory in there}
        for directory in places.values():
            durable.sync_file_system(Path(directory))
        self._touched.clear()

    def remove_empty(self, directories: Iterable[str]) -> None:
        """Remove those directories below the root that are empty, and those above them. Holds from ``sync`` on."""
        for directory in set(directories):
            place = directory
            with contextlib.suppress(OSError):
                while place.startswith(self._inside) and not os.path.islink(place):  # noqa: PTH114
                    durable.remove_directory(place)
                    self._there.discard(place)
                    place = place.rpartition("/")[0]
                    self.touched(place)

    def text_of_link(self, place: Path, home: Path) -> str:
        """Say what a link at a place must hold to lead to a home."""
        whole = str(home)
        if not whole.startswith(self._inside):
            return whole
        return self._way_up(str(place).rpartition("/")[0]) + whole[len(self._inside) :]

    def _device_below(self, directory: str) -> int:
        """Name the file system that a directory lies on, or would, once it is made."""
        while directory and not os.path.exists(directory):  # noqa: PTH110
            directory = directory.rpartition("/")[0]
        return self._device_of(directory or "/")
