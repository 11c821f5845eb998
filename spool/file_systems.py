"""Which file system a path lies on, found without touching the path.

A stat of a path on a dead NFS server never returns. The kernel's table of mounts always can be read, so whoever must
decide whether to touch a path (bulkheads, warnings at start) asks here.
"""

from __future__ import annotations

import os.path
import re
import select
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

NETWORK_TYPES: Final = frozenset(
    {
        "9p", "afs", "ceph", "cifs", "coda", "fuse.cephfs", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs", "gfs2",
        "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "smb3", "smbfs", "virtiofs",
    }
)  # fmt: skip
_MOUNT_INFORMATION: Final = Path("/proc/self/mountinfo")
_OCTAL_ESCAPE: Final = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One mounted file system. ``device`` is the kernel's number for it, as ``major:minor``."""

    mount_point: Path
    fs_type: str
    device: str

    @property
    def network(self) -> bool:
        """Whether the file system may depend on another machine."""
        return self.fs_type in NETWORK_TYPES


class Mounts:
    """The table of mounts, read again whenever the kernel says that it has changed. Safe for threads.

    A table that is a moment old would not do: work on a file system mounted meanwhile would count as work on the one
    below it, and if it hangs, hold up everybody there.

    Args:
        information: the table, in the form of proc(5) ``/proc/[pid]/mountinfo``.
        changed: whether the table has changed since it was asked last; by default the kernel is asked.
    """

    def __init__(self, information: Path = _MOUNT_INFORMATION, *, changed: Callable[[], bool] | None = None) -> None:
        self._information: Final = information
        self._changed: Final = changed or _ChangeSignal(information)
        self._kept: dict[str, Mount] | None = None

    def mount_of(self, path: Path) -> Mount:
        """Say which mount an absolute path lies on, taking its text as it is: symbolic links are not followed.

        Raises:
            OSError: the table cannot be read.
        """
        mounts = self._mounts()
        place = os.path.normpath(path)
        while place not in mounts and place != "/":
            place = place.rpartition("/")[0] or "/"
        # A table without a root is that of a process in a chroot; what it lies on has no line.
        return mounts.get(place) or Mount(Path("/"), "unknown", "0:0")

    def all(self) -> tuple[Mount, ...]:
        """Every visible mount.

        Raises:
            OSError: the table cannot be read.
        """
        return tuple(self._mounts().values())

    def _mounts(self) -> dict[str, Mount]:
        # Asked before the table is read: a change in between is told the next time.
        changed = self._changed()
        kept = self._kept
        if changed or kept is None:
            text = self._information.read_text("utf-8", "surrogateescape")
            kept = self._kept = parse_mount_information(text)
        return kept


class _ChangeSignal:
    """Whether the table of mounts has changed since the last call; the first call says so, too.

    The kernel keeps what it has told for each open file, and tells it by poll(2), in a microsecond (proc(5)).
    """

    def __init__(self, information: Path) -> None:
        self._information = information
        self._file: BinaryIO | None = None

    def __call__(self) -> bool:
        if self._file is None:
            self._file = self._information.open("rb")
            return True
        poll = select.poll()  # a new one each time: one cannot be used by two threads at once
        poll.register(self._file, select.POLLPRI)
        return bool(poll.poll(0))


def parse_mount_information(text: str) -> dict[str, Mount]:
    """Parse proc(5)'s mountinfo into the visible mount of each mount point: the last of several is on top.

    A line is: id, parent, device, root, mount point, options, optional fields, ``-``, type, source, options.
    """
    mounts = {}
    for line in text.splitlines():
        front, dash, back = line.partition(" - ")
        fields = front.split(" ")
        if dash and len(fields) >= 6:
            mount_point = _OCTAL_ESCAPE.sub(lambda escape: chr(int(escape[1], 8)), fields[4])
            mounts[mount_point] = Mount(Path(mount_point), back.split(" ", 1)[0], fields[2])
    return mounts
