"""Loads, before any process forks, the modules that would otherwise be loaded at first use.

Children share their pages this way, and a child that has given up the right to read the Python installation (one in
root's home, say) does not fail in the middle of a session.
"""

from __future__ import annotations

import codecs
import importlib
from typing import Final

_CODECS: Final = ("ascii", "latin-1", "utf-8", "idna", "hex", "unicode_escape")
_MODULES: Final = (
    "argon2",
    "bcrypt",
    "stringprep",
    "passlib.handlers.argon2",
    "passlib.handlers.bcrypt",
    "passlib.handlers.digests",
    "passlib.handlers.md5_crypt",
    "passlib.handlers.sha2_crypt",
    "passlib.handlers.des_crypt",
    "passlib.utils",
    "twisted.internet.epollreactor",
    "twisted.internet.process",
    "twisted.names.client",
    "twisted.names.hosts",
    "twisted.protocols.tls",
)


def preload() -> None:
    """Load them."""
    for codec in _CODECS:
        codecs.lookup(codec)
    for module in _MODULES:
        importlib.import_module(module)
