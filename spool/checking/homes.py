"""Checks of one home: is it there, is it its user's, do the link and getpw() lead to it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from spool.assign import AssignRecord
from spool.checking import kinds
from spool.checking.changes import PutLink
from spool.checking.findings import Finding, mode_findings, owner_findings
from spool.checking.mending import link_target
from spool.checking.places import DIRECTORY, Place, status_of
from spool.checking.view import Home, View
from spool.moved_homes import home_behind
from spool.names import UserName

_NO_DIRECTORY: Final = frozenset({errno.ENOTDIR, errno.ELOOP})


def place_of_home(record: AssignRecord, view: View) -> Path:
    """Say where a home is: what a rehash has moved and not yet published is behind the link at its old place."""
    if view.rehash.is_open and (behind := home_behind(record.home, view.settings.root)) is not None:
        return behind
    return record.home


def open_home(user: UserName, record: AssignRecord, view: View) -> Home | Finding:
    """Open a user's home; if that is not possible, say why. Who owns it is another matter."""
    path = place_of_home(record, view)
    try:
        descriptor = os.open(path, DIRECTORY)
    except OSError as error:
        return _why_not(user, record, error)
    try:
        return Home(user, record, path, descriptor, view.settings)
    except BaseException:
        os.close(descriptor)
        raise


def _why_not(user: UserName, record: AssignRecord, error: OSError) -> Finding:
    home = record.home
    if isinstance(error, FileNotFoundError):
        purged = home.with_name(f".{home.name}.purged")
        if os.path.lexists(purged):
            return Finding(kinds.PURGE_UNFINISHED, purged, user=user)
        return Finding(kinds.HOME_MISSING, home, user=user)
    if error.errno in _NO_DIRECTORY:
        return Finding(kinds.HOME_STRANGE, home, os.strerror(error.errno or 0), user)
    if isinstance(error, PermissionError):
        place = Place.of(home)
        try:
            status = home.lstat()
        except OSError:
            status = None
        # Without its own rights a home cannot even be looked into by its user.
        if status is not None and stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid():
            for finding in mode_findings(place, status, user, needed=0o700):
                return finding
    return Finding(kinds.NOT_LOOKED_AT, home, error.strerror or "", user)


def check_owner_and_mode(home: Home, view: View) -> Iterator[Finding]:
    """A home is its user's, and nobody else writes in it.

    From root it is given away only below the spool root, where no user can have put another directory in its place.
    """
    below = view.is_below_root(home.path)
    yield from owner_findings(home.itself, home.status, home.owner, home.user, may_give=below)
    if home.status.st_uid == home.record.uid:
        yield from mode_findings(home.itself, home.status, home.user, needed=0o700, forbidden=0o022)


def check_link(home: Home, view: View) -> Iterator[Finding]:
    """``[spool] home_link`` leads to the home."""
    template = view.settings.home_link
    if template is None:
        return
    link = Path(template.format_map({"user": home.user.text}))
    if link == home.record.home:
        return
    place = Place.of(link)
    try:
        with place.opened_parent() as parent:
            target, status = link_target(link.name, parent), status_of(link.name, parent)
    except OSError as error:
        yield Finding(kinds.HOME_LINK_MISSING, link, error.strerror or "", home.user)
        return
    if target in {str(home.path), str(home.record.home)}:
        return
    change = PutLink(place, str(home.path), target)
    if target is not None:
        yield Finding(kinds.HOME_LINK_ELSEWHERE, link, f"leads to {target}, not to {home.path}", home.user, (change,))
    elif status is None:
        yield Finding(kinds.HOME_LINK_MISSING, link, user=home.user, changes=(change,))
    else:
        yield Finding(kinds.HOME_LINK_TAKEN, link, stat.filemode(status.st_mode), home.user)


def check_account(home: Home, view: View) -> Iterator[Finding]:
    """getpw(), if it may be asked and knows the user, tells the same uid and home."""
    if view.account_of is None or (account := view.account_of(home.user.text)) is None:
        return
    if account.uid != home.record.uid:
        yield Finding(kinds.ACCOUNT_DIFFERS, home.path, f"uid {account.uid}, not {home.record.uid}", home.user)
    elif not _is_same_directory(account.home, home):
        yield Finding(kinds.ACCOUNT_DIFFERS, home.path, f"home {account.home}", home.user)


def _is_same_directory(path: Path, home: Home) -> bool:
    try:
        return os.path.samestat(path.stat(), home.status)
    except OSError:
        return False
