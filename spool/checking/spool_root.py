"""Checks of what lies below the spool root: directories that hold homes, homes of nobody, leftovers.

The directories above homes are root's or the service's, so links in them were made by them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from spool.checking import kinds
from spool.checking.census import Census
from spool.checking.changes import Keep
from spool.checking.findings import Finding, mode_findings, set_aside
from spool.checking.leftovers import is_leftover, leftover
from spool.checking.places import DIRECTORY, Place, names_in, status_of
from spool.checking.roster_lock import roster_locked
from spool.checking.view import View
from spool.homes import STATE_DIRECTORY
from spool.progress import Progress

_DEPTH_MAX: Final = 4  # no layout has more than two levels above homes
_PURGED: Final = ".purged"
_IGNORED: Final = frozenset({"lost+found"})


def check_root(view: View, census: Census, progress: Progress) -> Iterator[Finding]:
    """Go through the directories between the root and the homes; into homes it does not look."""
    progress.begin("entries below the spool root", None)
    root = view.settings.root
    try:
        status = root.stat()
    except OSError as error:
        yield Finding(kinds.ROOT_MISSING, root, error.strerror or "")
        return
    yield from mode_findings(Place.of(root), status, None, forbidden=0o002)
    yield from _Walk(view, census, progress).directory(root, 1)


class _Walk:
    def __init__(self, view: View, census: Census, progress: Progress) -> None:
        self._view = view
        self._census = census
        self._progress = progress
        root = view.settings.root
        templates = view.settings.templates
        self._has_mailboxes = any(Path(each.text).is_relative_to(root) for each in templates if not each.in_home)

    def directory(self, path: Path, depth: int) -> Iterator[Finding]:
        try:
            descriptor = os.open(path, DIRECTORY if depth > 1 else DIRECTORY & ~os.O_NOFOLLOW)  # the root may be a link
        except FileNotFoundError:
            return
        except OSError as error:
            yield Finding(kinds.NOT_LOOKED_AT, path, error.strerror or "")
            return
        try:
            for name in names_in(descriptor):
                self._progress.advance()
                if name not in _IGNORED and (status := status_of(name, descriptor)) is not None:
                    yield from self._entry(path / name, descriptor, status, depth)
        finally:
            os.close(descriptor)

    def _entry(self, path: Path, descriptor: int, status: os.stat_result, depth: int) -> Iterator[Finding]:
        if self._census.owner_of(str(path)) is not None:
            return  # told with the user
        place = Place.of(path)
        if stat.S_ISLNK(status.st_mode):
            yield from self._link(place, status)
        elif not stat.S_ISDIR(status.st_mode):
            yield from self._file(place, status)
        else:
            yield from self._other_directory(place, descriptor, status, depth)

    def _link(self, place: Place, status: os.stat_result) -> Iterator[Finding]:
        if is_leftover(place.name):
            yield from leftover(place, status, self._view, None, Keep.RECORD)
            return
        target = os.path.normpath(place.base / place.path.readlink())
        if self._census.owner_of(target) is None:
            yield Finding(kinds.STRAY_LINK, place.path, f"leads to {target}")
        elif not self._view.rehash.is_open:
            yield Finding(
                kinds.OLD_LINK, place.path, f"leads to {target}", changes=set_aside(place, status, Keep.RECORD)
            )

    def _file(self, place: Place, status: os.stat_result) -> Iterator[Finding]:
        if is_leftover(place.name):
            yield from leftover(place, status, self._view, None, Keep.RECORD)
        elif not self._has_mailboxes:  # else it may be an mbox among the homes
            yield Finding(kinds.STRAY_FILE, place.path, stat.filemode(status.st_mode))

    def _other_directory(self, place: Place, descriptor: int, status: os.stat_result, depth: int) -> Iterator[Finding]:
        try:
            is_home = status_of(f"{place.name}/{STATE_DIRECTORY}", descriptor) is not None
        except OSError as error:
            yield Finding(kinds.NOT_LOOKED_AT, place.path, error.strerror or "")
            return
        if place.name.startswith(".") and place.name.endswith(_PURGED):
            home = place.base / place.name.removeprefix(".").removesuffix(_PURGED)
            # That of a user who is still there is told with the user.
            if self._is_nobodys(home, place.path):
                yield Finding(kinds.PURGE_UNFINISHED, place.path)
        elif is_home:
            # A rehash keeps old homes of which it made copies.
            if not self._view.rehash.is_open and self._is_nobodys(place.path, place.path):
                yield Finding(kinds.HOME_UNASSIGNED, place.path)
        elif depth < _DEPTH_MAX:
            yield from mode_findings(place, status, None, forbidden=0o002)
            yield from self.directory(place.path, depth + 1)

    def _is_nobodys(self, home: Path, found: Path) -> bool:
        """Whether a home is nobody's, and what was found of it is neither about to be somebody's nor being removed."""
        with roster_locked(self._view.site):
            return self._census.present_owner_of(str(home)) is None and os.path.lexists(found)
