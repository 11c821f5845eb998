"""The C library's ``crypt_r``: fast, and it lets other threads run while it computes.

passlib's SHA-crypt is pure Python, ten times slower and under the interpreter's lock; ``crypts`` falls back on it where
this library is not installed.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable
from typing import Final, TypeAlias

CryptFunction: TypeAlias = Callable[[bytes, bytes], bytes | None]
"""From a password without NUL, and a setting or a whole hash, to the hash; None if the library does not know it."""

_DATA_OCTETS: Final = 256 * 1024  # struct crypt_data is 32 KiB in libxcrypt, 128 KiB in glibc before 2.38


def load(name: str | None = None) -> CryptFunction | None:
    """Find ``crypt_r``, in the library ``name`` or in the system's libcrypt; None if there is none."""
    found = name or ctypes.util.find_library("crypt")
    if found is None:
        return None
    try:
        crypt_r = ctypes.CDLL(found, use_errno=True).crypt_r
    except (OSError, AttributeError):
        return None
    crypt_r.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p)
    crypt_r.restype = ctypes.c_char_p

    def crypt(password: bytes, setting: bytes) -> bytes | None:
        # A buffer for each call: threads share nothing, and it is zeroed as crypt_r(3) asks.
        result: bytes | None = crypt_r(password, setting, ctypes.create_string_buffer(_DATA_OCTETS))
        # crypt(5): a failure is NULL, or a token that begins with an asterisk and is never a hash.
        return None if result is None or result.startswith(b"*") else result

    return crypt
