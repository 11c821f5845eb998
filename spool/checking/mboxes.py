"""Checks of one mbox, its dot-lock, and its journal.

Nothing is locked for looking. Whatever a delivery or another program is changing this moment looks damaged, so damage
counts only in a file that nobody has written to for as long as a dot-lock may be held.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from spool.checking import kinds
from spool.checking.changes import Keep
from spool.checking.findings import Finding, mode_findings, owner_findings
from spool.checking.leftovers import is_leftover, leftover, stale_lock
from spool.checking.places import Place, names_in, open_file, status_of
from spool.checking.view import Home, Seen, View
from spool.errors import MailboxUnavailableError
from spool.mailbox import MailboxLocation
from spool.mbox.blocks import BLOCK_OCTETS, BlockReader, read_at
from spool.mbox.scan import first_start, sound_end


def check_mbox(home: Home, seen: Seen, view: View) -> Iterator[Finding]:
    """The file is the user's, begins like an mbox, and ends like one."""
    place, status = seen.place, seen.status
    exposed = 0o007 if home.is_passable or place.home_uid is None else 0
    yield from owner_findings(place, status, home.owner, home.user)
    yield from mode_findings(place, status, home.user, needed=0o600, forbidden=exposed)
    if not view.is_older(status, view.settings.mbox_dotlock_stale_seconds):
        return
    try:
        with place.for_looking.opened_parent() as parent:
            descriptor = open_file(place.name, parent)
    except FileNotFoundError:
        return
    except PermissionError as error:
        if status.st_mode & 0o400:
            yield Finding(kinds.NOT_LOOKED_AT, place.path, error.strerror or "", home.user)
        return
    try:
        yield from _check_content(home, place.path, descriptor, status.st_size, view)
    finally:
        os.close(descriptor)


def _check_content(home: Home, path: Path, descriptor: int, octets: int, view: View) -> Iterator[Finding]:
    reader = BlockReader(descriptor, octets, before_block=_nothing)
    end = reader.end = sound_end(reader)
    try:
        first_start(reader)
    except MailboxUnavailableError:
        yield Finding(kinds.NOT_AN_MBOX, path, user=home.user)
        return
    if end < octets:
        yield Finding(kinds.MBOX_TORN, path, f"{octets - end} octets behind the last message", home.user)
    if view.deep and (offset := _first_nul(descriptor, end)) is not None:
        yield Finding(kinds.MBOX_NULS, path, f"at offset {offset}", home.user)


def _nothing() -> None:
    """No lock to keep alive."""


def _first_nul(descriptor: int, end: int) -> int | None:
    for start in range(0, end, BLOCK_OCTETS):
        found = read_at(descriptor, start, min(BLOCK_OCTETS, end - start)).find(b"\0")
        if found >= 0:
            return start + found
    return None


def check_mbox_locks(home: Home, location: MailboxLocation, view: View) -> Iterator[Finding]:
    """No dot-lock of an mbox, there or not, is older than a lock may be."""
    mbox = home.place_of(location)
    place = Place(mbox.base, (*mbox.parts[:-1], f"{mbox.name}.lock"), mbox.home_uid)
    status = home.look_at(place)
    if status is not None:
        yield from stale_lock(place, status, view, home.user)


def check_home_leftovers(home: Home, view: View) -> Iterator[Finding]:
    """Nothing was left in the home by whoever wanted a dot-lock, or was putting a file in its place."""
    for name in home.names:
        if is_leftover(name) and (status := status_of(name, home.descriptor)) is not None:
            yield from leftover(home.place(name), status, view, home.user, Keep.HOME)


def check_mbox_directory(directory: Path, view: View) -> Iterator[Finding]:
    """The same in a directory of mboxes outside of homes."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return  # said with the users
    try:
        for name in names_in(descriptor):
            if is_leftover(name) and (status := status_of(name, descriptor)) is not None:
                yield from leftover(Place(directory, (name,)), status, view, None, Keep.RECORD)
    finally:
        os.close(descriptor)
