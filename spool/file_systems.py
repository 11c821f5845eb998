"""Which file system a path lies on, found without touching the path.

A stat of a path on a dead NFS server never returns. The kernel's table of mounts always can be read, so whoever must
decide whether to touch a path (bulkheads, warnings at start) asks here.
"""

from __future__ import annotations

import os.path
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

NETWORK_TYPES: Final = frozenset(
    {
        "9p", "afs", "ceph", "cifs", "coda", "fuse.cephfs", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs", "gfs2",
        "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "smb3", "smbfs", "virtiofs",
    }
)  # fmt: skip
_MOUNT_INFORMATION: Final = Path("/proc/self/mountinfo")
_REFRESH_SECONDS: Final = 5.0
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
    """The table of mounts, read again when it is older than a few seconds. Safe for threads.

    Args:
        information: the table, in the form of proc(5) ``/proc/[pid]/mountinfo``.
        monotonic: a clock in seconds.
    """

    def __init__(
        self, information: Path = _MOUNT_INFORMATION, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._information: Final = information
        self._monotonic: Final = monotonic
        self._kept: tuple[float, dict[str, Mount]] | None = None

    def mount_of(self, path: Path) -> Mount:
        """Say which mount an absolute path lies on, taking its text as it is: symbolic links are not followed.

        Raises:
            OSError: the table cannot be read.
        """
        mounts = self._mounts()
        place = os.path.normpath(path)
        while place not in mounts and place != "/":
            place = os.path.dirname(place)  # noqa: PTH120 (Path would make an object for each step)
        # A table without a root is that of a process in a chroot; what it lies on has no line.
        return mounts.get(place) or Mount(Path("/"), "unknown", "0:0")

    def all(self) -> tuple[Mount, ...]:
        """Every visible mount.

        Raises:
            OSError: the table cannot be read.
        """
        return tuple(self._mounts().values())

    def _mounts(self) -> dict[str, Mount]:
        now = self._monotonic()
        kept = self._kept
        if kept is None or now - kept[0] >= _REFRESH_SECONDS:
            text = self._information.read_text("utf-8", "surrogateescape")
            kept = self._kept = (now, parse_mount_information(text))
        return kept[1]


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
