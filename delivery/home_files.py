"""The instruction files in a home, read as their owner wants and nobody else can (qmail-local; dot-qmail(5)).

Mail waits while the home or a file in it can be written by others than its owner, and while the home has the sticky
bit, by which a user says that they are changing it. qmail's documents refuse what the group can write, too, and its
code does not; here both are refused.

With ``follow_links`` a file may be a symbolic link to anywhere: for processes that are the user, who can read no more
that way than they can anyway. Without, links that stay below the home are followed and others make the mail wait: for
sites where all users have one uid, and a link could lead into another's home.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from delivery.dot_qmail import FILE_OCTETS_MAX
from delivery.errors import InstructionsError
from spool.beneath import open_beneath
from spool.errors import HomeUnavailableError

_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
_MISSING: Final = frozenset({errno.ENOENT, errno.ENOTDIR})
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # O_NONBLOCK: a FIFO in a file's place does not hold us


@dataclass(frozen=True, slots=True)
class InstructionFile:
    """One file. ``executable``: its owner may execute it, which makes it a list of addresses."""

    name: str
    text: bytes
    executable: bool


class HomeFiles:
    """The files of one home, which is open.

    Args:
        home: its path, for errors.
        descriptor: of the open home, the caller's.
        follow_links: whether links may lead out of the home.

    Raises:
        InstructionsError: the home can be written by others, or its owner is changing it.
    """

    def __init__(self, home: Path, descriptor: int, *, follow_links: bool) -> None:
        self._home = home
        self._descriptor = descriptor
        self._follow_links = follow_links
        mode = os.fstat(descriptor).st_mode
        if mode & _WRITABLE_BY_OTHERS:
            raise InstructionsError(f"{home}: others than its owner can write it ({stat.filemode(mode)})")
        if mode & stat.S_ISVTX:
            raise InstructionsError(f"{home}: it has the sticky bit: its owner is changing it")

    def exists(self, name: str) -> bool:
        """Whether there is something of this name.

        Raises:
            HomeUnavailableError: nobody knows.
        """
        try:
            os.stat(name, dir_fd=self._descriptor, follow_symlinks=self._follow_links)
        except OSError as error:
            if error.errno in _MISSING:
                return False
            raise HomeUnavailableError(f"{self._home}/{name}: {error.strerror}") from error
        return True

    def read(self, path: str) -> InstructionFile | None:
        """Read a file that the user named, or whose name follows from the address; None if there is no regular one.

        Args:
            path: from the home on, or absolute.

        Raises:
            InstructionsError: it can be written by others, is too long, or lies where it may not.
            HomeUnavailableError: it is there and cannot be read now.
        """
        if self._follow_links:
            return self._read(path, lambda: os.open(path, _READ, dir_fd=self._descriptor))
        beneath = path.removeprefix(f"{self._home}/")
        return self._read(path, lambda: open_beneath(self._descriptor, beneath, _READ))

    def read_central(self, path: str) -> InstructionFile | None:
        """Read a file at an absolute path that the site's settings name; otherwise as ``read``."""
        return self._read(path, lambda: os.open(path, _READ | os.O_NOFOLLOW))

    def _read(self, path: str, opened: Callable[[], int]) -> InstructionFile | None:
        try:
            descriptor = opened()
        except OSError as error:
            if error.errno in _MISSING:
                return None
            if error.errno in {errno.EXDEV, errno.ELOOP}:
                raise InstructionsError(
                    f"{self._named(path)}: a symbolic link, or the path, leads out of the home"
                ) from error
            raise HomeUnavailableError(f"{self._named(path)}: {error.strerror}") from error
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                return None
            if mode & _WRITABLE_BY_OTHERS:
                raise InstructionsError(
                    f"{self._named(path)}: others than its owner can write it ({stat.filemode(mode)})"
                )
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                text = file.read(FILE_OCTETS_MAX + 1)
        except OSError as error:
            raise HomeUnavailableError(f"{self._named(path)}: {error.strerror}") from error
        finally:
            os.close(descriptor)
        if len(text) > FILE_OCTETS_MAX:
            raise InstructionsError(f"{self._named(path)}: longer than {FILE_OCTETS_MAX} octets")
        return InstructionFile(path, text, bool(mode & stat.S_IXUSR))

    def _named(self, path: str) -> Path:
        """Name a file for an error; files that are simply missing, as most are, need no name."""
        return self._home / path
