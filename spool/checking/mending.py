"""Making changes: each recorded first, and only if what was found still holds.

A change that is stopped has been made or not; the same repair, run again, goes on from there. What may be left is a
directory that still belongs to root, or a file that is kept aside; both are found, or harmless.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
from pathlib import Path
from typing import Final, assert_never

from spool import durable
from spool.assign import compile_assign, publish_assign, read_assign
from spool.checking.changes import (
    Change,
    CompileAssign,
    Identity,
    Keep,
    MakeDirectory,
    PutLink,
    SetAside,
    SetMode,
    SetOwner,
)
from spool.checking.findings import can_be_set_aside, is_single
from spool.checking.places import LOOK, Place, open_file, status_of, through
from spool.checking.undo_record import Compiled, Moved, Removed, UndoRecord
from spool.homes import STATE_DIRECTORY

RECORDED_OCTETS_MAX: Final = 4096


class Mender:
    """Makes changes on one site.

    Args:
        maintenance: where files of the site are kept.
        record: where every change is noted.
    """

    def __init__(self, maintenance: Path, record: UndoRecord) -> None:
        self._maintenance: Final = maintenance
        self._record: Final = record

    def make(self, change: Change) -> bool:
        """Make one change.

        Holds when it returns. A crash before that leaves it made or not, and recorded.

        Returns:
            False if what was found is no longer so: nothing was changed then.

        Raises:
            SpoolError: it could not be made or recorded.
            OSError: it could not be made.
        """
        match change:
            case SetOwner() | SetMode():
                return self._set(change)
            case MakeDirectory(place, owner, mode):
                return self._make_directory(change, place, owner, mode)
            case SetAside(place, keep=Keep.RECORD):
                return self._remove(change, place)
            case SetAside():
                return self._move(change)
            case PutLink():
                return self._put_link(change)
            case CompileAssign():
                return self._compile(change)
            case _:
                assert_never(change)

    def _set(self, change: SetOwner | SetMode) -> bool:
        with contextlib.ExitStack() as stack:
            parent = stack.enter_context(change.place.opened_parent())
            try:
                descriptor = os.open(change.place.name, LOOK, dir_fd=parent)
            except FileNotFoundError:
                return False
            stack.callback(os.close, descriptor)
            status = os.fstat(descriptor)
            if (
                Identity.of(status) != change.identity
                or not is_single(status)
                or attribute(change, status) != change.before
            ):
                return False
            self._record.add(change)
            set_attribute(descriptor, change.after)
        return True

    def _make_directory(self, change: MakeDirectory, place: Place, owner: tuple[int, int], mode: int) -> bool:
        with place.opened_parent() as parent:
            if status_of(place.name, parent) is not None:
                return False
            self._record.add(change)
            durable.make_directory(through(parent) / place.name, mode=mode, owner=owner)
        return True

    def _remove(self, change: SetAside, place: Place) -> bool:
        with place.opened_parent() as parent:
            status = status_of(place.name, parent)
            if status is None or not _is_as_seen(change, status):
                return False
            is_link = stat.S_ISLNK(status.st_mode)
            self._record.add(
                Removed(
                    place,
                    (status.st_uid, status.st_gid),
                    stat.S_IMODE(status.st_mode),
                    status.st_mtime_ns,
                    os.readlink(place.name, dir_fd=parent) if is_link else None,
                    None if is_link else _small_content(place.name, parent),
                )
            )
            # Somebody may have put another in its place: moved away first, looked at, and put back then.
            aside = leftover_name(place.name)
            if not _moved_away(change, (place.name, parent), (aside, parent)):
                return False
            durable.remove(aside, dir_fd=parent)
            durable.sync_directory(through(parent))
        return True

    def _move(self, change: SetAside) -> bool:
        place = change.place
        kept = self._kept_place(place, change.keep)
        with place.opened_parent() as parent:
            status = status_of(place.name, parent)
            if status is None or not _is_as_seen(change, status):
                return False
            _make_kept_directory(kept)
            with kept.opened_parent() as target:
                self._record.add(Moved(place, change.identity, kept))
                moved = _moved_away(change, (place.name, parent), (kept.name, target))
                durable.sync_directory(through(target))
            durable.sync_directory(through(parent))
        return moved

    def _kept_place(self, place: Place, keep: Keep) -> Place:
        name = self._record.next_kept_name()
        if keep is Keep.HOME:
            return Place(
                place.base, (place.parts[0], STATE_DIRECTORY, self._record.kept_directory, name), place.home_uid
            )
        return Place(self._maintenance, (self._record.kept_directory, name))

    def _put_link(self, change: PutLink) -> bool:
        place = change.place
        with place.opened_parent() as parent:
            if link_target(place.name, parent) != change.before or (
                change.before is None and status_of(place.name, parent) is not None
            ):
                return False
            self._record.add(change)
            put_link(place.name, change.target, parent, replace=change.before is not None)
        return True

    def _compile(self, change: CompileAssign) -> bool:
        lines = read_assign(change.text)
        old = None
        with contextlib.suppress(FileNotFoundError):
            old = change.compiled.read_bytes()
        new = compile_assign(lines)
        if old == new:
            return False
        kept = None
        if old is not None:
            kept = self._maintenance / f"{self._record.kept_directory}.{change.compiled.name}"
            durable.create_file(kept, [old])
            durable.sync_directory(kept.parent)
        self._record.add(Compiled(change.text, change.compiled, kept, hashlib.sha256(new).hexdigest()))
        publish_assign(lines, change.compiled)
        return True


def leftover_name(name: str) -> str:
    """Name what is to be there for a moment only, so that one left by a crash is known for what it is."""
    return f".{name[:200]}.{secrets.token_hex(8)}.new"


def attribute(change: SetOwner | SetMode, status: os.stat_result) -> int | tuple[int, int]:
    """What of a file a change is about."""
    match change:
        case SetOwner():
            return status.st_uid, status.st_gid
        case SetMode():
            return stat.S_IMODE(status.st_mode)
        case _:
            assert_never(change)


def set_attribute(descriptor: int, value: int | tuple[int, int]) -> None:
    """Set a mode, or an owner. Holds when it returns."""
    if isinstance(value, int):
        durable.change_attributes(descriptor, mode=value)
    else:
        durable.change_attributes(descriptor, owner=value)


def link_target(name: str, directory: int) -> str | None:
    """Where a link leads; None if there is no link of the name."""
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError:
        return None


def put_link(name: str, target: str, directory: int, *, replace: bool) -> None:
    """Make a link, or let one lead elsewhere. Holds when it returns."""
    if replace:
        durable.make_symlink(through(directory) / name, target)
    else:
        durable.create_symlink(name, target, dir_fd=directory)
        durable.sync_directory(through(directory))


def _is_as_seen(change: SetAside, status: os.stat_result) -> bool:
    # An inode is used again, and its time is set by its owner: a pipe could look like the file that was seen.
    return (
        can_be_set_aside(status) and Identity.of(status) == change.identity and status.st_mtime_ns == change.modified_ns
    )


def _moved_away(change: SetAside, source: tuple[str, int], target: tuple[str, int]) -> bool:
    """Rename what was seen; whatever else came into its place is put back, if the place is still free."""
    (name, parent), (kept, keeping) = source, target
    try:
        durable.rename(name, kept, source_dir_fd=parent, target_dir_fd=keeping)
    except FileNotFoundError:
        return False
    status = status_of(kept, keeping)
    if status is None or _is_as_seen(change, status):
        return True
    with contextlib.suppress(FileExistsError):
        durable.link(kept, name, source_dir_fd=keeping, target_dir_fd=parent)
        durable.remove(kept, dir_fd=keeping)
    return False


def _make_kept_directory(kept: Place) -> None:
    """Make the directory of files that are kept, for whoever owns what it lies in."""
    directory = Place(kept.base, kept.parts[:-1], kept.home_uid)
    with directory.opened_parent() as parent:
        if status_of(directory.name, parent) is None:
            above = os.fstat(parent)
            durable.make_directory(through(parent) / directory.name, owner=(above.st_uid, above.st_gid))


def _small_content(name: str, directory: int) -> bytes:
    descriptor = open_file(name, directory)
    try:
        durable.check_regular(descriptor, name)
        return os.read(descriptor, RECORDED_OCTETS_MAX)
    finally:
        os.close(descriptor)
