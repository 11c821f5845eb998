"""Whether a rehash is under way, or was stopped: homes, links to them and copies of them may then be at two places."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from spool.errors import SpoolError
from spool.rehash.journal import NAME, Journal


class RehashState:
    """Reads the journal of a rehash when it has changed.

    Args:
        maintenance: the directory it is in.
    """

    def __init__(self, maintenance: Path) -> None:
        self._maintenance: Final = maintenance
        self._seen: tuple[int, int, int] | None = None
        self._is_open = False

    @property
    def is_open(self) -> bool:
        """Whether anything is left to be done. A journal that cannot be read may be of a rehash that is at work."""
        try:
            status = (self._maintenance / NAME).stat()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        if stamp != self._seen:
            self._is_open = _is_open(self._maintenance)
            self._seen = stamp
        return self._is_open


def _is_open(maintenance: Path) -> bool:
    try:
        journal = Journal.load(maintenance)
    except SpoolError:
        return True
    return journal is not None and not journal.settled
