"""Opening files below a directory such that no link and no ``..`` leads out of it (openat2(2), Linux 5.6)."""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Final

_OPENAT2: Final = 437  # the same number on every architecture
_RESOLVE_NO_MAGICLINKS: Final = 0x02
_RESOLVE_BENEATH: Final = 0x08
_OPEN_HOW: Final = struct.Struct("=QQQ")  # flags, mode, resolve
_libc: Final = ctypes.CDLL(None, use_errno=True)


def open_beneath(directory: int, path: str, flags: int) -> int:
    """Open ``path`` below the open directory; symbolic links within it are followed, others and ``..`` out are not.

    Args:
        directory: a descriptor.
        path: relative.
        flags: as for ``os.open``, without ``O_CREAT``; ``O_CLOEXEC`` is added.

    Returns:
        The descriptor, the caller's to close.

    Raises:
        OSError: ``EXDEV`` where the way leads out, ``ELOOP`` for a magic link, ``ENOSYS`` on an older kernel, or as
            for ``os.open``.
    """
    how = _OPEN_HOW.pack(flags | os.O_CLOEXEC, 0, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)
    descriptor: int = _libc.syscall(_OPENAT2, directory, os.fsencode(path), how, len(how))
    if descriptor < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return descriptor
