"""Stamps: telling by a file's or directory's status whether it is still what it was when it was read.

A stamp is taken *before* reading. If the same stamp is found later, nothing has changed since it was taken, with one
exception: a change within the same tick of the clock by which the file system marks changes leaves the same mark. So
what was read is worth keeping only if the last change was ``SETTLED_NS`` ago when its stamp was taken (``is_settled``):
any later change is then marked with another time.

Two seconds cover a tick of the kernel (1 to 10 ms), file systems that mark whole seconds, and a file server whose clock
is a little behind ours; one whose clock is ahead makes what was read look young, which costs time and no truth.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

SETTLED_NS: Final = 2_000_000_000


class Stamp(NamedTuple):
    """Which file it is and when it was changed; for a directory, when a name in it was."""

    device: int
    inode: int
    octets: int
    mtime_ns: int
    ctime_ns: int

    def is_settled(self, now_ns: int) -> bool:
        """Whether every change from ``now_ns`` (nanoseconds since 1970) on will be marked by another time."""
        return max(self.mtime_ns, self.ctime_ns) <= now_ns - SETTLED_NS


def stamp_of(status: os.stat_result) -> Stamp:
    """Take the stamp out of a status."""
    return Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def stamp_of_file(path: Path) -> Stamp | None:
    """Take the stamp of what is at a path, not through a link at its end; None if nothing is.

    Raises:
        OSError: it cannot be looked at.
    """
    try:
        return stamp_of(path.lstat())
    except FileNotFoundError:
        return None
