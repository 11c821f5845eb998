"""What repair may do: each change small, checked again before it is made, and undone by its opposite.

A change tells what was seen when it was proposed. It is made only if that still holds, to the very file that was seen.
"""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from spool.checking.places import Place


@dataclass(frozen=True, slots=True)
class Identity:
    """Which file it is."""

    device: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Identity:
        """That of a file that was looked at."""
        return cls(status.st_dev, status.st_ino)


@dataclass(frozen=True, slots=True)
class SetOwner:
    """Give a directory, or a file with one name only, from one ``(uid, gid)`` to another."""

    place: Place
    identity: Identity
    before: tuple[int, int]
    after: tuple[int, int]


@dataclass(frozen=True, slots=True)
class SetMode:
    """Change the permission bits of a directory or file."""

    place: Place
    identity: Identity
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class MakeDirectory:
    """Make a directory where nothing is."""

    place: Place
    owner: tuple[int, int]
    mode: int = 0o700


class Keep(enum.Enum):
    """Where a file that is put aside is kept: in its home, in the site, or, if it is small, in the undo record."""

    HOME = "home"
    SITE = "site"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class SetAside:
    """Take a file, or a link itself, away from its place, if it was not written since ``modified_ns``."""

    place: Place
    identity: Identity
    modified_ns: int
    keep: Keep


@dataclass(frozen=True, slots=True)
class PutLink:
    """Let a link lead to ``target``. ``before`` is where it leads now, None if nothing is there."""

    place: Place
    target: str
    before: str | None


@dataclass(frozen=True, slots=True)
class CompileAssign:
    """Compile the text of assignments."""

    text: Path
    compiled: Path


Change: TypeAlias = SetOwner | SetMode | MakeDirectory | SetAside | PutLink | CompileAssign
