"""Checks of one Maildir."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from typing import Final

from spool.checking import kinds
from spool.checking.changes import Keep, MakeDirectory
from spool.checking.findings import Finding, can_be_gone_through, mode_findings, owner_findings, set_aside
from spool.checking.places import DIRECTORY, Place, names_in, open_file, status_of
from spool.checking.view import Home, Seen, View
from spool.homes import MAILDIR_PARTS
from spool.maildir.directories import TMP_SECONDS_MAX
from spool.quota.maildir_size import MAILDIRSIZE
from spool.wire import WireCounter

_DISK_OCTETS: Final = re.compile(r".*,S=([0-9]{1,15})(?![^,])", re.DOTALL)
_WIRE_OCTETS: Final = re.compile(r".*,W=([0-9]{1,15})(?![^,])", re.DOTALL)
_PIECE_OCTETS: Final = 64 * 1024
# Maildir++: the quota, "10000000S,1000C", either part or both; then a line "octets messages" for each change.
_MAILDIRSIZE_FORM: Final = re.compile(rb"[0-9]+[SC](?:,[0-9]+[SC])*[ ]*\n(?: *-?[0-9]+ +-?[0-9]+ *\n)*")
_MAILDIRSIZE_OCTETS_MAX: Final = 5120  # Maildir++: from this length on it is made anew


def check_maildir(home: Home, seen: Seen, view: View) -> Iterator[Finding]:
    """The parts are there, and they and the messages are the user's; each message has one name."""
    place = seen.place
    # Where others cannot come to the Maildir, its own mode does not matter.
    exposed = 0o007 if home.is_passable or place.home_uid is None else 0
    yield from owner_findings(place, seen.status, home.owner, home.user, may_give=place.home_uid is not None)
    yield from mode_findings(place, seen.status, home.user, needed=0o700, forbidden=exposed)
    if not can_be_gone_through(seen.status):
        return
    maildir = _opened(place)
    try:
        bases: dict[str, Place] = {}
        for part in MAILDIR_PARTS:
            yield from _check_part(home, place.below(part), maildir, bases, view)
        yield from _check_maildirsize(home, place.below(MAILDIRSIZE), maildir)
    finally:
        os.close(maildir)


def _opened(place: Place) -> int:
    with place.for_looking.opened_parent() as parent:
        return os.open(place.name, DIRECTORY, dir_fd=parent)


def _check_part(home: Home, place: Place, maildir: int, bases: dict[str, Place], view: View) -> Iterator[Finding]:
    status = status_of(place.name, maildir)
    if status is None:
        change = MakeDirectory(place, home.owner)
        yield Finding(kinds.PART_MISSING, place.path, user=home.user, changes=(change,) if place.home_uid else ())
        return
    if not stat.S_ISDIR(status.st_mode):
        yield Finding(kinds.MAILBOX_STRANGE, place.path, stat.filemode(status.st_mode), home.user)
        return
    yield from owner_findings(place, status, home.owner, home.user)
    yield from mode_findings(place, status, home.user, needed=0o700)
    if not can_be_gone_through(status):
        return
    descriptor = os.open(place.name, DIRECTORY, dir_fd=maildir)
    try:
        check = _check_tmp if place.name == "tmp" else _check_messages
        yield from check(home, place, descriptor, bases, view)
    finally:
        os.close(descriptor)


def _check_tmp(
    home: Home, directory: Place, descriptor: int, _bases: dict[str, Place], view: View
) -> Iterator[Finding]:
    for name in names_in(descriptor):
        if name.startswith("."):
            continue
        status = status_of(name, descriptor)
        if status is None or not stat.S_ISREG(status.st_mode):
            continue
        if view.now() - max(status.st_mtime, status.st_atime) > TMP_SECONDS_MAX:
            place = directory.below(name)
            changes = set_aside(place, status, Keep.HOME) if place.home_uid is not None else ()
            yield Finding(kinds.STALE_TMP, place.path, f"{status.st_size} octets", home.user, changes)


def _check_messages(
    home: Home, directory: Place, descriptor: int, bases: dict[str, Place], view: View
) -> Iterator[Finding]:
    for name in names_in(descriptor):
        if name.startswith("."):
            continue
        status = status_of(name, descriptor)
        if status is None:
            continue  # moved or removed since
        if not stat.S_ISREG(status.st_mode):
            yield Finding(kinds.STRANGE_ENTRY, directory.below(name).path, stat.filemode(status.st_mode), home.user)
            continue
        if status.st_uid != home.record.uid or status.st_mode & 0o400 != 0o400:
            place = directory.below(name)
            yield from owner_findings(place, status, home.owner, home.user)
            yield from mode_findings(place, status, home.user, needed=0o400)
        base = name.partition(":")[0]
        if base in bases:
            yield from _check_twice(home, bases[base], directory.below(name), status)
        bases[base] = directory.below(name)
        if view.deep:
            yield from _check_sizes(home, directory.below(name), descriptor, status)


def _check_twice(home: Home, other: Place, place: Place, status: os.stat_result) -> Iterator[Finding]:
    with other.for_looking.opened_parent() as parent:
        found = status_of(other.name, parent)
    if found is None:
        return  # it was moved here while we looked
    files = "one file" if os.path.samestat(found, status) else "two files"
    yield Finding(kinds.BASE_TWICE, other.path, f"{files}, also {place.path}", home.user)


def _check_sizes(home: Home, place: Place, descriptor: int, status: os.stat_result) -> Iterator[Finding]:
    base = place.name.partition(":")[0]
    claimed = _DISK_OCTETS.match(base)
    if claimed and int(claimed[1]) != status.st_size:
        detail = f"S={claimed[1]}, found {status.st_size} octets"
        yield Finding(kinds.SIZE_IN_NAME_WRONG, place.path, detail, home.user)
        return
    try:
        octets = _wire_octets(place.name, descriptor)
    except FileNotFoundError:
        return  # moved or removed since
    except OSError as error:
        yield Finding(kinds.NOT_LOOKED_AT, place.path, error.strerror or "", home.user)
        return
    wire = _WIRE_OCTETS.match(base)
    if wire and int(wire[1]) != octets:
        detail = f"W={wire[1]}, found {octets} octets on the wire"
        yield Finding(kinds.SIZE_IN_NAME_WRONG, place.path, detail, home.user)


def _wire_octets(name: str, directory: int) -> int:
    counter = WireCounter()
    with os.fdopen(open_file(name, directory), "rb", buffering=0) as file:
        while piece := file.read(_PIECE_OCTETS):
            counter.add(piece)
    return counter.octets


def _check_maildirsize(home: Home, place: Place, maildir: int) -> Iterator[Finding]:
    status = status_of(place.name, maildir)
    if status is None:
        return
    if stat.S_ISREG(status.st_mode):
        if not status.st_mode & 0o400:
            yield from mode_findings(place, status, home.user, needed=0o600)
            return
        with os.fdopen(open_file(place.name, maildir), "rb") as file:
            data = file.read(_MAILDIRSIZE_OCTETS_MAX + 1)
        # What is too long, or ends with a torn line, the next writer makes anew.
        whole = data[: data.rfind(b"\n") + 1]
        if len(data) > _MAILDIRSIZE_OCTETS_MAX or not data or _MAILDIRSIZE_FORM.fullmatch(whole):
            return
    changes = set_aside(place, status, Keep.HOME) if place.home_uid is not None else ()
    yield Finding(kinds.MAILDIRSIZE_DAMAGED, place.path, f"{status.st_size} octets", home.user, changes)
