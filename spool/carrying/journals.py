"""Where what carrying and converting must remember about one user lies, in the site's maintenance directory."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import Final

from spool import durable
from spool.names import UserName

CARRYING_SUFFIX: Final = ".carrying"
_REMOVAL_SUFFIX: Final = ".removal"


class UserJournals:
    """The journals of one user.

    Args:
        maintenance: the directory of ``spool.maintenance``.
        user: whose.
    """

    def __init__(self, maintenance: Path, user: UserName) -> None:
        self.directory = maintenance / "carrying" / user.text

    def make(self) -> None:
        """Make the directory. Holds when it returns.

        Raises:
            SpoolError: it cannot be made.
        """
        with durable.storage_errors(self.directory):
            for directory in (self.directory.parent, self.directory):
                with contextlib.suppress(FileExistsError):
                    durable.make_directory(directory)

    def carrying(self, source: Path) -> Path:
        """Name the journal of what is carried from a source."""
        return self._of(source, CARRYING_SUFFIX)

    def removal(self, source: Path) -> Path:
        """Name the journal of what is removed from a source."""
        return self._of(source, _REMOVAL_SUFFIX)

    def under_way(self) -> tuple[Path, ...]:
        """Return the journals of carryings that were broken off."""
        return tuple(sorted(self.directory.glob(f"*{CARRYING_SUFFIX}")))

    def tidy(self) -> None:
        """Remove the directory if nothing is in it any more. Losing that to a crash does no harm."""
        for directory in (self.directory, self.directory.parent):
            with contextlib.suppress(OSError):
                durable.remove_directory(directory)

    def _of(self, source: Path, suffix: str) -> Path:
        digest = hashlib.sha256(str(source).encode("utf-8", "surrogateescape")).hexdigest()
        return self.directory / f"{digest[:16]}{suffix}"
