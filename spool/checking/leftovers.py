"""What programs that were stopped left behind: known by its name, and told by its age."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from typing import Final

from spool.checking import kinds
from spool.checking.changes import Keep
from spool.checking.findings import Finding, set_aside
from spool.checking.places import Place
from spool.checking.view import View
from spool.names import UserName

LEFTOVER_SECONDS: Final = 36 * 60 * 60
"""The age from which a file of ours that is not whole counts as left behind, as in a Maildir's ``tmp``."""

LOCK_OCTETS_MAX: Final = 1024
"""Longer files are no locks but somebody's mail."""

_LEFTOVER_NAME: Final = re.compile(r"\..+\.[0-9a-f]{16}\.new")  # spool.durable
_LOCK_LEFTOVER_NAME: Final = re.compile(r"\.lk[0-9a-f]{16}")  # spool.mbox.dotlock


def is_leftover(name: str) -> bool:
    """Whether a name is one that a file has only while it is made or taken away."""
    return _LEFTOVER_NAME.fullmatch(name) is not None or _LOCK_LEFTOVER_NAME.fullmatch(name) is not None


def leftover(place: Place, status: os.stat_result, view: View, user: UserName | None, keep: Keep) -> Iterator[Finding]:
    """Say if what has such a name is old enough to be a leftover."""
    if _LOCK_LEFTOVER_NAME.fullmatch(place.name):
        yield from stale_lock(place, status, view, user)
    elif not stat.S_ISDIR(status.st_mode) and view.is_older(status, LEFTOVER_SECONDS):
        yield Finding(kinds.LEFTOVER, place.path, f"{status.st_size} octets", user, set_aside(place, status, keep))


def stale_lock(place: Place, status: os.stat_result, view: View, user: UserName | None) -> Iterator[Finding]:
    """Say if a lock is stale; a directory or somebody's mail is none."""
    is_lock = stat.S_ISLNK(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_size <= LOCK_OCTETS_MAX)
    if is_lock and view.is_older(status, view.settings.mbox_dotlock_stale_seconds):
        age = f"{int(view.now() - status.st_mtime)} seconds old"
        yield Finding(kinds.STALE_LOCK, place.path, age, user, set_aside(place, status, Keep.RECORD))
