"""The directories that homes lie in: made before homes come, removed when they are empty, synced all at once."""

from __future__ import annotations

import contextlib
import functools
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

from spool import durable
from spool.moved_homes import link_text

DeviceOf: TypeAlias = Callable[[Path], int]
"""Names the file system that an existing directory lies on. Homes are moved within one, and copied between two."""


def device_of(directory: Path) -> int:
    """Name the file system as the kernel does, links on the way followed."""
    return directory.stat().st_dev


class HashDirectories:
    """The directories below one spool root, and those of links and mboxes outside of it.

    What is done is remembered until ``sync``; nothing needs to be asked twice.

    Args:
        root: the spool root; directories made below it get its owner and mode.
        device_of: tells file systems apart.
    """

    def __init__(self, root: Path, *, device_of: DeviceOf = device_of) -> None:
        self.root = root
        self._device_of = device_of
        self._there: set[Path] = {root}
        self._touched: set[Path] = set()
        self.device_below = functools.lru_cache(maxsize=65536 * 2)(self._device_below)
        self._link_text = functools.lru_cache(maxsize=1024)(self._way)

    def make(self, directory: Path, *, like: Path | None = None) -> None:
        """Make a directory, and those above it, where they are missing, like the root or like another one.

        Holds from ``sync`` on; a crash before that leaves some of them.

        Raises:
            OSError: one cannot be made.
        """
        if directory in self._there:
            return
        if not directory.is_dir():
            self.make(directory.parent, like=like)
            status = (like or self.root).stat()
            durable.create_directory(directory, mode=stat.S_IMODE(status.st_mode), owner=(status.st_uid, status.st_gid))
            self.touched(directory.parent)
        self._there.add(directory)

    def touched(self, directory: Path) -> None:
        """Say that names in a directory were changed."""
        self._touched.add(directory)

    def sync(self) -> None:
        """Make durable what was changed since the last time: the file systems it was changed on are synced, each once.

        A batch touches up to as many directories as it has homes, and syncing each would take longer than all else.
        """
        places = {self._device_of(directory): directory for directory in self._touched if directory.is_dir()}
        for directory in places.values():
            durable.sync_file_system(directory)
        self._touched.clear()

    def remove_empty(self, directories: Iterable[Path]) -> None:
        """Remove those directories below the root that are empty, and those above them. Holds from ``sync`` on."""
        for directory in sorted(directories, reverse=True):
            place = directory
            with contextlib.suppress(OSError):
                while self.root in place.parents and not place.is_symlink():
                    durable.remove_directory(place)
                    self._there.discard(place)
                    self.touched(place.parent)
                    place = place.parent

    def text_of_link(self, place: Path, home: Path) -> str:
        """Say what a link at a place must hold to lead to a home (``spool.moved_homes.link_text``)."""
        return f"{self._link_text(place.parent, home.parent)}{home.name}"

    def _way(self, directory: Path, to: Path) -> str:
        return link_text(directory / "_", to / "_", self.root).removesuffix("_")

    def _device_below(self, directory: Path) -> int:
        """Name the file system that a directory lies on, or would, once it is made."""
        while not directory.exists():
            directory = directory.parent
        return self._device_of(directory)
