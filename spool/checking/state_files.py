"""Checks of ``.mailspool``: our own files about a user's mailboxes."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final, TypeAlias

from spool.checking import kinds
from spool.checking.changes import Keep, MakeDirectory
from spool.checking.findings import Finding, can_be_gone_through, mode_findings, owner_findings, set_aside
from spool.checking.leftovers import is_leftover, leftover
from spool.checking.places import DIRECTORY, Place, names_in, open_file, status_of
from spool.checking.view import Home, View
from spool.homes import STATE_DIRECTORY
from spool.mailbox import MailboxLocation
from spool.mbox.journal import is_completable
from spool.mbox.locks import HeldMbox
from spool.unique_id_book import UniqueIdBook
from spool.unique_ids import FILE_OCTETS_MAX

_PIECE_OCTETS: Final = 1024 * 1024
_SIZES: Final = re.compile(rb"(?:(?:[!-~]{1,70}(?: -?[0-9]{1,20})+ \.)?\n)*")  # spool.maildir.size_index


@dataclass(frozen=True, slots=True)
class _OwnFile:
    """One of our own files, open: ``location`` is of the mailbox it is about."""

    home: Home
    view: View
    place: Place
    status: os.stat_result
    location: MailboxLocation
    file: BinaryIO


_ContentCheck: TypeAlias = Callable[[_OwnFile], Iterator[Finding]]


def check_state(home: Home, view: View) -> Iterator[Finding]:
    """The directory is there, private, and what is in it is the user's and can be used."""
    status = home.look_at(home.state)
    if status is None:
        yield Finding(
            kinds.STATE_MISSING, home.state.path, user=home.user, changes=(MakeDirectory(home.state, home.owner),)
        )
        return
    if not stat.S_ISDIR(status.st_mode):
        yield Finding(kinds.STATE_STRANGE, home.state.path, stat.filemode(status.st_mode), home.user)
        return
    yield from owner_findings(home.state, status, home.owner, home.user)
    yield from mode_findings(home.state, status, home.user, needed=0o700, forbidden=0o077)
    if not can_be_gone_through(status):
        return
    directory = os.open(STATE_DIRECTORY, DIRECTORY, dir_fd=home.descriptor)
    try:
        for name in names_in(directory):
            yield from _check_file(home, view, directory, name)
    finally:
        os.close(directory)


def _check_file(home: Home, view: View, directory: int, name: str) -> Iterator[Finding]:
    status = status_of(name, directory)
    if status is None or stat.S_ISDIR(status.st_mode):
        return
    place = home.place(STATE_DIRECTORY, name)
    if is_leftover(name):
        yield from leftover(place, status, view, home.user, Keep.HOME)
        return
    for location in home.locations:
        if name.startswith(f"{location.state_name}."):
            check = _CHECKS.get(name.removeprefix(location.state_name))
            yield from _check_own_file(home, view, directory, place, status, location, check)


def _check_own_file(
    home: Home,
    view: View,
    directory: int,
    place: Place,
    status: os.stat_result,
    location: MailboxLocation,
    check: _ContentCheck | None,
) -> Iterator[Finding]:
    if not stat.S_ISREG(status.st_mode):
        yield Finding(kinds.STATE_STRANGE, place.path, stat.filemode(status.st_mode), home.user)
        return
    yield from owner_findings(place, status, home.owner, home.user)
    yield from mode_findings(place, status, home.user, needed=0o600)
    if check is not None and status.st_mode & 0o400:
        try:
            descriptor = open_file(place.name, directory)
        except FileNotFoundError:
            return
        with os.fdopen(descriptor, "rb") as file:
            yield from check(_OwnFile(home, view, place, status, location, file))


def _check_unique_ids(own: _OwnFile) -> Iterator[Finding]:
    home, place = own.home, own.place
    data = own.file.read(FILE_OCTETS_MAX + 1)
    if len(data) > FILE_OCTETS_MAX:
        yield Finding(kinds.UNIQUE_IDS_FOREIGN, place.path, f"it is longer than {FILE_OCTETS_MAX} octets", home.user)
        return
    try:
        UniqueIdBook(data)
    except ValueError as error:
        yield Finding(kinds.UNIQUE_IDS_FOREIGN, place.path, str(error), home.user)


def _check_sizes(own: _OwnFile) -> Iterator[Finding]:
    rest = b""
    while data := own.file.read(_PIECE_OCTETS):
        # A last line without its end is being written, or was torn, which is no damage.
        whole, _, rest = (rest + data).rpartition(b"\n")
        if len(rest) > _PIECE_OCTETS or not _SIZES.fullmatch(whole and whole + b"\n"):
            changes = set_aside(own.place, own.status, Keep.HOME)
            yield Finding(kinds.INDEX_DAMAGED, own.place.path, f"{own.status.st_size} octets", own.home.user, changes)
            return


def _check_journal(own: _OwnFile) -> Iterator[Finding]:
    """A journal is there while a session removes mail; after a crash it stays until somebody completes it."""
    if not own.view.is_older(own.status, own.view.settings.mbox_dotlock_stale_seconds):
        return
    mbox = own.home.place_of(own.location)
    try:
        with mbox.for_looking.opened_parent() as parent:
            descriptor = open_file(mbox.name, parent)
    except OSError as error:
        yield Finding(kinds.JOURNAL_FOREIGN, own.place.path, f"{mbox.path}: {error.strerror}", own.home.user)
        return
    try:
        fits = is_completable(HeldMbox(descriptor, None, time.monotonic), own.file.fileno())
    finally:
        os.close(descriptor)
    kind = kinds.JOURNAL_OPEN if fits else kinds.JOURNAL_FOREIGN
    yield Finding(kind, own.place.path, f"{own.status.st_size} octets", own.home.user)


_CHECKS: Final[Mapping[str, _ContentCheck | None]] = {
    ".lock": None,
    ".uids": _check_unique_ids,
    ".sizes": _check_sizes,
    ".listing": None,
    ".read": None,
    ".index": None,
    ".quota": None,
    ".ids-from": None,
    ".mbox-arriving": None,
    ".mbox-batch": None,
    ".mbox-journal": _check_journal,
}
"""Our own files by what their names end in, with what is to be said of their content."""
