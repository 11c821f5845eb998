"""Going back: the changes of an undo record, the last first, each only where it is still as the repair left it."""

from __future__ import annotations

import contextlib
import enum
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from spool import durable
from spool.checking.changes import Identity, MakeDirectory, PutLink, SetMode, SetOwner
from spool.checking.mending import attribute, leftover_name, link_target, put_link, set_attribute
from spool.checking.places import LOOK, Place, status_of, through
from spool.checking.session_locks import concerns_sessions, sessions_locked
from spool.checking.undo_record import Compiled, Entry, Moved, Removed, read_record
from spool.errors import MailboxBusyError, SpoolError
from spool.homes import STATE_DIRECTORY
from spool.maintenance import maintenance
from spool.site import Site


class Undone(enum.Enum):
    """What became of going back by one change."""

    UNDONE = "undone"
    AS_BEFORE = "as it was"
    CHANGED = "changed since"
    BUSY = "busy"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class UndoneChange:
    """One change, and what became of going back."""

    path: Path
    outcome: Undone
    detail: str = ""


def undo_repair(
    site: Site, record: Path, tell: Callable[[UndoneChange], None], *, dry_run: bool = False
) -> dict[Undone, int]:
    """Go back by an undo record. It may be stopped, and run again.

    Holds when it returns. Mailboxes in use are left, and told.

    Args:
        site: whose record it is.
        record: its file.
        tell: hears of each change.
        dry_run: only tell which changes there are.

    Returns:
        How many changes had which outcome.

    Raises:
        UndoRecordError: it is no undo record.
        MaintenanceBusyError: another operation runs on the site.
    """
    counts = dict.fromkeys(Undone, 0)
    with maintenance(site) if not dry_run else contextlib.nullcontext():
        for entry in reversed(read_record(record)):
            path = entry.compiled if isinstance(entry, Compiled) else entry.place.path
            outcome, detail = (Undone.UNDONE, "") if dry_run else _undone(entry)
            counts[outcome] += 1
            tell(UndoneChange(path, outcome, detail))
    return counts


def _undone(entry: Entry) -> tuple[Undone, str]:
    try:
        with _locked(entry):
            return _undo(entry), ""
    except MailboxBusyError as error:
        return Undone.BUSY, str(error)
    except FileNotFoundError:
        return Undone.CHANGED, "it is gone"
    except (OSError, SpoolError) as error:
        return Undone.FAILED, str(error)


@contextlib.contextmanager
def _locked(entry: Entry) -> Iterator[None]:
    """Keep sessions out of the home that an entry is about, if it is about one."""
    if isinstance(entry, Compiled) or not concerns_sessions(entry.place):
        yield
        return
    state = Place(entry.place.base, (entry.place.parts[0], STATE_DIRECTORY), entry.place.home_uid)
    with sessions_locked(state):
        yield


def _undo(entry: Entry) -> Undone:
    match entry:
        case SetOwner() | SetMode():
            return _unset(entry)
        case MakeDirectory(place):
            return _unmake(place)
        case PutLink():
            return _unput(entry)
        case Moved():
            return _move_back(entry)
        case Removed():
            return _put_again(entry)
        case Compiled():
            return _uncompile(entry)
        case _:
            assert_never(entry)


def _unset(change: SetOwner | SetMode) -> Undone:
    with change.place.opened_parent() as parent:
        descriptor = os.open(change.place.name, LOOK, dir_fd=parent)
        try:
            status = os.fstat(descriptor)
            present = attribute(change, status)
            if Identity.of(status) == change.identity and present == change.before:
                return Undone.AS_BEFORE
            if Identity.of(status) != change.identity or present != change.after:
                return Undone.CHANGED
            set_attribute(descriptor, change.before)
        finally:
            os.close(descriptor)
    return Undone.UNDONE


def _unmake(place: Place) -> Undone:
    try:
        with place.opened_parent() as parent:
            durable.remove_directory(place.name, dir_fd=parent)
            durable.sync_directory(through(parent))
    except FileNotFoundError:
        return Undone.AS_BEFORE
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        return Undone.CHANGED  # something was put into it
    return Undone.UNDONE


def _unput(change: PutLink) -> Undone:
    name = change.place.name
    with change.place.opened_parent() as parent:
        present = link_target(name, parent)
        if present == change.before and (present is not None or status_of(name, parent) is None):
            return Undone.AS_BEFORE
        if present != change.target:
            return Undone.CHANGED
        if change.before is not None:
            put_link(name, change.before, parent, replace=True)
        else:
            durable.remove(name, dir_fd=parent)
            durable.sync_directory(through(parent))
    return Undone.UNDONE


def _move_back(entry: Moved) -> Undone:
    place, kept = entry.place, entry.kept
    with place.opened_parent() as parent:
        present = status_of(place.name, parent)
        is_back = present is not None and Identity.of(present) == entry.identity
        try:
            with kept.opened_parent() as keeping:
                found = status_of(kept.name, keeping)
                if found is None or Identity.of(found) != entry.identity:
                    return Undone.AS_BEFORE if is_back else Undone.CHANGED
                if not is_back:
                    try:
                        durable.link(kept.name, place.name, source_dir_fd=keeping, target_dir_fd=parent)
                    except FileExistsError:
                        return Undone.CHANGED
                    durable.sync_directory(through(parent))
                durable.remove(kept.name, dir_fd=keeping)
                durable.sync_directory(through(keeping))
        except FileNotFoundError:
            if is_back:
                return Undone.AS_BEFORE
            raise
    _remove_if_empty(Place(kept.base, kept.parts[:-1], kept.home_uid))
    return Undone.UNDONE


def _remove_if_empty(place: Place) -> None:
    with contextlib.suppress(OSError), place.opened_parent() as parent:
        durable.remove_directory(place.name, dir_fd=parent)
        durable.sync_directory(through(parent))


def _put_again(entry: Removed) -> Undone:
    name = entry.place.name
    with entry.place.opened_parent() as parent:
        if (present := status_of(name, parent)) is not None:
            return Undone.AS_BEFORE if present.st_mtime_ns == entry.modified_ns else Undone.CHANGED
        # Whole at once: a lock that looks new for a moment would be one.
        building = leftover_name(name)
        if entry.target is not None:
            durable.create_symlink(building, entry.target, dir_fd=parent)
        else:
            owner = entry.owner if os.geteuid() == 0 else None
            durable.create_file(building, [entry.content or b""], mode=entry.mode, owner=owner, dir_fd=parent)
        durable.set_modification_time(building, entry.modified_ns, dir_fd=parent)
        with contextlib.suppress(FileExistsError):
            durable.link(building, name, source_dir_fd=parent, target_dir_fd=parent)
        durable.remove(building, dir_fd=parent)
        durable.sync_directory(through(parent))
    return Undone.UNDONE


def _uncompile(entry: Compiled) -> Undone:
    old = None if entry.kept is None else entry.kept.read_bytes()
    present = None
    with contextlib.suppress(FileNotFoundError):
        present = entry.compiled.read_bytes()
    if present == old:
        return Undone.AS_BEFORE
    # Users who were added or moved since are in it: no mail would find them.
    if present is None or hashlib.sha256(present).hexdigest() != entry.digest:
        return Undone.CHANGED
    if old is None:
        durable.remove(entry.compiled)
        durable.sync_directory(entry.compiled.parent)
        return Undone.UNDONE
    status = entry.compiled.stat()
    durable.replace_file(entry.compiled, [old], mode=stat.S_IMODE(status.st_mode), owner=(status.st_uid, status.st_gid))
    return Undone.UNDONE
