"""One finding, and how findings about owners and modes are made."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spool.checking import kinds
from spool.checking.changes import Change, Identity, Keep, SetAside, SetMode, SetOwner
from spool.checking.kinds import Kind, Severity
from spool.checking.places import Place
from spool.names import UserName


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        kind: what kind of thing it is.
        path: where.
        detail: what was found there; no content of mail, no secret.
        user: whose it is, if it is a user's.
        changes: what would mend it, in their order.
    """

    kind: Kind
    path: Path
    detail: str = ""
    user: UserName | None = None
    changes: tuple[Change, ...] = ()

    @property
    def severity(self) -> Severity:
        """What it asks for: of a mendable kind, but without a safe change, it needs a person."""
        if self.kind.severity is Severity.MENDABLE and not self.changes:
            return Severity.PERSON
        return self.kind.severity

    @property
    def key(self) -> tuple[str, Path]:
        """Tells whether another look has found the same."""
        return self.kind.name, self.path


def owner_findings(
    place: Place, status: os.stat_result, owner: tuple[int, int], user: UserName | None, *, may_give: bool = True
) -> Iterator[Finding]:
    """Say if something is not its owner's. From root alone it may be given away: what root made was meant for the user.

    Args:
        place: where it is.
        status: as it was seen, not through a link.
        owner: uid and gid it should have; the gid alone is no finding.
        user: whose it is.
        may_give: whether the place is certain enough to give it to the user.
    """
    if status.st_uid == owner[0]:
        return
    detail = f"expected uid {owner[0]}, found {status.st_uid}"
    if status.st_uid != 0:
        yield Finding(kinds.OWNED_BY_OTHER, place.path, detail, user)
        return
    change = SetOwner(place, Identity.of(status), (status.st_uid, status.st_gid), owner)
    yield Finding(kinds.OWNED_BY_ROOT, place.path, detail, user, (change,) if may_give and is_single(status) else ())


def mode_findings(
    place: Place,
    status: os.stat_result,
    user: UserName | None,
    *,
    needed: int = 0,
    forbidden: int = 0,
    kind: Kind = kinds.MODE_TOO_OPEN,
) -> Iterator[Finding]:
    """Say if mode bits are missing or too many. ``kind`` is for those that are too many."""
    mode = stat.S_IMODE(status.st_mode)
    if missing := needed & ~mode:
        change = SetMode(place, Identity.of(status), mode, mode | needed)
        detail = f"mode {mode:04o} lacks {missing:04o}"
        yield Finding(kinds.MODE_TOO_NARROW, place.path, detail, user, (change,) if is_single(status) else ())
        mode |= needed
    if surplus := forbidden & mode:
        change = SetMode(place, Identity.of(status), mode, mode & ~forbidden)
        detail = f"mode {mode:04o} has {surplus:04o}"
        yield Finding(kind, place.path, detail, user, (change,) if is_single(status) else ())


def can_be_gone_through(status: os.stat_result) -> bool:
    """Whether a directory's mode lets its user look at what is in it; if not, that comes after it was mended."""
    return status.st_mode & 0o500 == 0o500


def is_single(status: os.stat_result) -> bool:
    """Whether it is a directory, or has one name only: a second one may be anywhere, linked here to have it changed."""
    return stat.S_ISDIR(status.st_mode) or status.st_nlink == 1


def set_aside(place: Place, status: os.stat_result, keep: Keep) -> tuple[Change, ...]:
    """The change that takes a file or link away from its place; a pipe, socket, device or directory stays.

    Those are no file of ours that became useless: somebody put them there, and may be using them.
    """
    if not can_be_set_aside(status):
        return ()
    return (SetAside(place, Identity.of(status), status.st_mtime_ns, keep),)


def can_be_set_aside(status: os.stat_result) -> bool:
    """Whether it is what can be moved away, and put back by its other name: a regular file, or a link itself."""
    return stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)
