"""Places on the disk, reached without following a link that a user may have planted."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spool.errors import MailboxUnavailableError

LOOK: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ENTER: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Place:
    """A name below a directory that is trusted.

    Attributes:
        base: the directory; links on the way to it are followed.
        parts: the names below it; none of them is followed if it is a link.
        home_uid: if the first of several parts is a user's home, who must own it; what is in it is that user's.
    """

    base: Path
    parts: tuple[str, ...]
    home_uid: int | None = None

    @property
    def path(self) -> Path:
        """The place as a path."""
        return self.base.joinpath(*self.parts)

    @classmethod
    def of(cls, path: Path) -> Place:
        """The place of a path all of whose directories are trusted."""
        return cls(path.parent, (path.name,))

    @property
    def for_looking(self) -> Place:
        """The same, whoever owns the home: enough for looking, which changes nothing."""
        return Place(self.base, self.parts)

    @property
    def name(self) -> str:
        """The last part."""
        return self.parts[-1]

    @contextlib.contextmanager
    def opened_parent(self) -> Iterator[int]:
        """Open the directory that ``name`` lies in, to reach the name through it.

        Raises:
            MailboxUnavailableError: the home is not its user's.
            OSError: something on the way is missing, or no directory.
        """
        descriptor = os.open(self.base, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for depth, part in enumerate(self.parts[:-1]):
                descriptor, above = os.open(part, _ENTER, dir_fd=descriptor), descriptor
                os.close(above)
                if depth == 0 and self.home_uid not in {None, os.fstat(descriptor).st_uid}:
                    raise MailboxUnavailableError(f"{self.base / part}: not owned by uid {self.home_uid}")
            yield descriptor
        finally:
            os.close(descriptor)

    def below(self, *names: str) -> Place:
        """The place of ``names`` below this one."""
        return Place(self.base, (*self.parts, *names), self.home_uid)


def through(descriptor: int) -> Path:
    """Name an open directory: what is below this path is below that directory, whatever happens to its names."""
    return Path(f"/proc/self/fd/{descriptor}")


def names_in(directory: int) -> list[str]:
    """What is in an open directory, at once: it may be changed while the names are gone through."""
    return os.listdir(directory)


def status_of(name: str, directory: int) -> os.stat_result | None:
    """Look at a name in an open directory, not through a link; None if it is missing."""
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def open_file(name: str, directory: int) -> int:
    """Open a file for reading, not through a link, and without its looking read: new-mail notices go by that.

    Raises:
        OSError: it cannot be opened.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(name, flags | os.O_NOATIME, dir_fd=directory)
    except PermissionError:
        return os.open(name, flags, dir_fd=directory)  # not ours, so that we may not say so
