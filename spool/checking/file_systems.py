"""Checks of the file systems that mail lies on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from spool.checking import kinds
from spool.checking.findings import Finding
from spool.checking.places import DIRECTORY
from spool.checking.view import View
from spool.file_systems import Mounts

_FREE_SHARE_MIN: Final = 0.05


def check_file_systems(view: View, directories: tuple[Path, ...], mounts: Mounts) -> Iterator[Finding]:
    """No file system with mail is nearly full, and none depends on the network.

    Args:
        view: what to look with.
        directories: one on each file system: the spool root, and homes elsewhere.
        mounts: what is mounted.
    """
    checked: set[Path] = set()
    for directory in directories:
        mount = mounts.mount_of(directory)
        if mount.mount_point in checked:
            continue
        checked.add(mount.mount_point)
        if mount.network:
            yield Finding(kinds.NETWORK_FILE_SYSTEM, mount.mount_point, mount.fs_type)
        yield from _check_room(directory, mount.mount_point, view)


def _check_room(directory: Path, mount_point: Path, view: View) -> Iterator[Finding]:
    try:
        descriptor = os.open(directory, DIRECTORY & ~os.O_NOFOLLOW)
    except OSError:
        return  # said elsewhere
    try:
        room = view.statvfs(descriptor)
    finally:
        os.close(descriptor)
    for what, free, total in (("space", room.f_bavail, room.f_blocks), ("inodes", room.f_favail, room.f_files)):
        # Some file systems have no fixed number of inodes, and say 0.
        if total and free < total * _FREE_SHARE_MIN:
            yield Finding(kinds.DISK_NEARLY_FULL, mount_point, f"{free / total:.1%} of its {what} is free")
