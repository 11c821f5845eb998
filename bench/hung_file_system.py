"""A file system that hangs: every access to it waits until it is released, as with an NFS server that went away.

It is FUSE without a FUSE library: the kernel asks this process through /dev/fuse, and is never answered. What waits may be
killed, as with NFS. Needs root, Linux, and nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_NO_SUID_NO_DEVICES: Final = 2 | 4  # MS_NOSUID, MS_NODEV of mount(2)
_DETACH: Final = 2  # MNT_DETACH of umount2(2)


def can_hang() -> bool:
    """Whether this process may mount such a file system."""
    return os.geteuid() == 0 and os.access("/dev/fuse", os.R_OK | os.W_OK)


@contextlib.contextmanager
def hung_file_system(directory: Path) -> Iterator[None]:
    """Hang everything below a directory, for all users; at the end everybody who waits gets an error.

    Raises:
        OSError: it cannot be mounted.
    """
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    try:
        options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
        _check(_LIBC.mount(b"hung", bytes(directory), b"fuse", _NO_SUID_NO_DEVICES, options.encode()), directory)
        try:
            yield
        finally:
            # Detached first: whoever comes from now on sees the directory that was there before.
            _check(_LIBC.umount2(bytes(directory), _DETACH), directory)
    finally:
        # The kernel aborts the connection when its last descriptor is closed, so nobody waits any longer.
        os.close(device)


def _check(result: int, directory: Path) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), str(directory))
