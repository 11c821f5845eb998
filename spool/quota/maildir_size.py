"""How much mail a Maildir holds, by counting, as Maildir++ has it.

Counted are the messages in ``new`` and ``cur`` of the Maildir and of each of its folders, which are the directories
whose names begin with a dot. What its owner has thrown away is not: messages with the flag T, and the folder
``.Trash``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from spool.maildir.directories import Part

MAILDIRSIZE: Final = "maildirsize"
"""The file of the figure, in the Maildir."""

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_TRASH: Final = ".Trash"
_SIZE: Final = re.compile(r",S=([0-9]{1,15})(?![^,:])")
_TRASHED: Final = re.compile(r":2,[A-Za-z]*T")
_ATTEMPTS: Final = 3


class Counted(NamedTuple):
    """What was counted. ``steady``: nothing came or went meanwhile."""

    octets: int
    messages: int
    steady: bool


def count_maildir(maildir: Path) -> Counted:
    """Count what a Maildir holds; again, a few times, when something came or went meanwhile.

    Sizes are taken from the names that tell them (``,S=``), so that mostly no file is looked at. No link is followed.

    Raises:
        OSError: it cannot be read.
    """
    root = os.open(maildir, _DIRECTORY)
    try:
        for _ in range(_ATTEMPTS):
            before = _marks(root)
            octets, messages = _sum(root)
            steady = _marks(root) == before
            if steady:
                break
    finally:
        os.close(root)
    return Counted(octets, messages, steady)


def _sum(root: int) -> tuple[int, int]:
    sizes = [octets for directory in _directories(root) for octets in _sizes(directory)]
    return sum(sizes), len(sizes)


def _marks(root: int) -> list[tuple[int, int]]:
    statuses = [os.fstat(directory) for directory in _directories(root)]
    return [(status.st_ino, status.st_mtime_ns) for status in statuses]


def _directories(root: int) -> Iterator[int]:
    """Open, one after the other, each directory that has messages which count."""
    folders = [name for name in os.listdir(root) if name.startswith(".") and name != _TRASH]
    for folder in (".", *sorted(folders)):
        for part in Part:
            with suppress(FileNotFoundError, NotADirectoryError):  # what is no folder, or is gone
                outer = os.open(folder, _DIRECTORY, dir_fd=root)
                try:
                    directory = os.open(part.value, _DIRECTORY, dir_fd=outer)
                finally:
                    os.close(outer)
                try:
                    yield directory
                finally:
                    os.close(directory)


def _sizes(directory: int) -> Iterator[int]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith(".") or _TRASHED.search(entry.name) or not entry.is_file(follow_symlinks=False):
                continue
            told = _SIZE.search(entry.name)
            if told:
                yield int(told[1])
            else:
                with suppress(FileNotFoundError):  # it has just been moved or removed
                    yield entry.stat(follow_symlinks=False).st_size
