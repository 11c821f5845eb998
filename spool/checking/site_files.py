"""Checks of the site's own files: assignments, domains, secrets, who may write."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from spool.assign import compile_plain
from spool.assign_text import AssignText
from spool.checking import kinds
from spool.checking.changes import CompileAssign, Keep
from spool.checking.findings import Finding, mode_findings
from spool.checking.leftovers import is_leftover, leftover
from spool.checking.places import Place
from spool.checking.view import View
from spool.control_files import Locals, entries
from spool.errors import DirectoryUnavailableError, MalformedNameError, NoSuchUserError, SettingsError
from spool.names import DomainName, UserName
from spool.roster_files import last_of

_OF_OTHERS_OR_WRITTEN_BY_GROUP: Final = 0o027
_WRITTEN_BY_OTHERS: Final = 0o002
_OF_GROUP_OR_OTHERS: Final = 0o077


def check_compiled(view: View) -> Iterator[Finding]:
    """``assign`` can be read, and ``assign.cdb`` says the same."""
    site = view.site
    try:
        compiled = b"".join(compile_plain(AssignText.read(site.assign).pieces()))
    except SettingsError as error:
        yield Finding(kinds.ASSIGN_UNREADABLE, site.assign, str(error))
        return
    change = CompileAssign(site.assign, site.assign_compiled)
    try:
        found = site.assign_compiled.read_bytes()
    except OSError as error:
        yield Finding(kinds.ASSIGN_STALE, site.assign_compiled, error.strerror or "", changes=(change,))
        return
    if found != compiled:
        yield Finding(kinds.ASSIGN_STALE, site.assign_compiled, changes=(change,))


def check_domains(view: View) -> Iterator[Finding]:
    """``domains`` names users and local domains. What is no line at all, ``mailspool config check`` says."""
    path = view.site.domains
    try:
        text = path.read_text("ascii")
        local = Locals(view.site.locals).all()
    except (OSError, UnicodeDecodeError, SettingsError):
        return
    for number, entry in entries(text):
        name, _, domain = entry.partition(":")
        try:
            user, named = UserName(name.lower()), DomainName(domain.lower())
        except MalformedNameError:
            continue
        try:
            view.directory.user(user)
        except DirectoryUnavailableError:
            return  # said by another check
        except NoSuchUserError:
            yield Finding(kinds.DOMAINS_UNKNOWN_USER, path, f"line {number}: {user}")
        if named not in local:
            yield Finding(kinds.DOMAINS_UNKNOWN_DOMAIN, path, f"line {number}: {named}", user)


def check_secrets(view: View) -> Iterator[Finding]:
    """Nobody else reads secrets. A group may: that is somebody's decision."""
    for path in (view.site.passwd, view.site.apop, *view.secrets):
        yield from _check_mode(path.resolve(), _OF_OTHERS_OR_WRITTEN_BY_GROUP, kind=kinds.SECRET_EXPOSED)


def check_writers(view: View) -> Iterator[Finding]:
    """Nobody else changes the site."""
    site = view.site
    files = (site.settings_file, site.assign, site.assign_compiled, site.locals, site.domains, site.certificates)
    # The copies are what an operator goes back to.
    more = (site.quotas, last_of(site.assign), last_of(site.domains))
    for path in (site.directory, site.control, *files, *more):
        yield from _check_mode(path, _WRITTEN_BY_OTHERS, kind=kinds.SITE_WRITABLE)
    yield from _check_mode(site.maintenance, _OF_GROUP_OR_OTHERS, kind=kinds.SITE_WRITABLE)


def _check_mode(path: Path, forbidden: int, *, kind: kinds.Kind) -> Iterator[Finding]:
    try:
        status = path.lstat()
    except OSError:
        return
    if not os.path.islink(path):  # noqa: PTH114 (a link has no mode of its own)
        yield from mode_findings(Place.of(path), status, None, forbidden=forbidden, kind=kind)


def check_leftovers(view: View) -> Iterator[Finding]:
    """No file that was to replace one of the site's, nor link to a home, was left behind."""
    site = view.site
    directories = [site.directory, site.control, site.directory / "run"]
    directories += [Path(directory) for directory, _, _ in os.walk(site.maintenance)]
    for directory in directories:
        yield from _leftovers_in(directory, view, Keep.SITE)
    template = view.settings.home_link
    if template is not None and "{" not in (parent := os.path.dirname(template)):  # noqa: PTH120 (no path yet)
        yield from _leftovers_in(Path(parent), view, Keep.RECORD)


def _leftovers_in(directory: Path, view: View, keep: Keep) -> Iterator[Finding]:
    try:
        names = [path.name for path in directory.iterdir()]
    except OSError:
        return
    for name in filter(is_leftover, names):
        place = Place(directory, (name,))
        with contextlib.suppress(FileNotFoundError):
            yield from leftover(place, place.path.lstat(), view, None, keep)
