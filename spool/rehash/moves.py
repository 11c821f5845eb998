"""What is moved: one user's home, from one place to another."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from spool.errors import SpoolError
from spool.names import UserName


@dataclass(frozen=True, slots=True)
class Move:
    """A user's home is at ``old`` and shall be at ``new``."""

    user: UserName
    uid: int
    gid: int
    old: Path
    new: Path

    @property
    def old_directory(self) -> str:
        """The directory that the home lies in."""
        return str(self.old).rpartition("/")[0]

    @property
    def new_directory(self) -> str:
        """The directory that it shall lie in."""
        return str(self.new).rpartition("/")[0]

    @property
    def back(self) -> Move:
        """The move that undoes this one."""
        return Move(self.user, self.uid, self.gid, self.new, self.old)


Rights: TypeAlias = Callable[[Move], AbstractContextManager[None]]
"""Gives the rights of a mailbox's owner for a block (``spool.acting_as``)."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A user whose mailbox was not moved, or is not as it should be, and why."""

    user: UserName
    reason: str


class RehashError(SpoolError):
    """A rehash cannot begin, or not like that; the message says why, to the operator. Nothing was moved."""
