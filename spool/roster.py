"""The roster: adding and removing users, the spool's side of it.

A user is two lines in ``control/assign``, ``=name:…`` and ``+name-:…``; a home with a maildrop; perhaps a link to it,
and lines in ``control/domains``. All changes run under one lock, so that two programs at once take turns.

The order of steps leaves, wherever they stop, a state from which the same command goes on. Adding makes everything else
before the assignment, which makes the user exist; a purge destroys the mail before the assignment goes. The text of
assignments is written before it is compiled; the next change, or the next try of the same, compiles it if that was not
done.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spool import durable
from spool.assign import AssignRecord, compile_records, publish_records
from spool.assign_directory import AssignDirectory
from spool.assign_edits import (
    HomeMove,
    MovedHomes,
    TakenExtension,
    taken_extensions,
    with_homes,
    with_user,
    without_user,
)
from spool.assign_text import AssignText
from spool.control_files import Domains, Locals, with_memberships
from spool.errors import NoSuchUserError, RosterError, SettingsError, SpoolError
from spool.homes import (
    STATE_DIRECTORY,
    hash_directory,
    locate_mailbox,
    location_of_kind,
    make_home,
    make_mailbox,
)
from spool.layouts import LAYOUTS, layout_named
from spool.mailbox import MailboxKind, MailboxLocation
from spool.names import DomainName, UserName
from spool.settings import SpoolSettings
from spool.site import Site


@dataclass(frozen=True, slots=True)
class NewUser:
    """Who shall be added. ``home`` None: where the layout says; ``kind`` None: the first template's."""

    name: UserName
    uid: int
    gid: int
    home: Path | None = None
    kind: MailboxKind | None = None
    domains: tuple[DomainName, ...] = ()


@dataclass(frozen=True, slots=True)
class Added:
    """What adding a user came to. ``taken`` are the extensions that change hands, or that the new user cannot have."""

    location: MailboxLocation
    taken: tuple[TakenExtension, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """What removing a user came to. ``mail`` are the places where mail was left: none after a purge."""

    user: UserName
    mail: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class UserDescription:
    """All that is known of one user. ``maildrop`` is None while it is not available, ``domains`` is None for all.

    ``layout`` names a layout that puts the home where it is, None if none does; ``links`` lead to the home.
    """

    user: UserName
    record: AssignRecord
    maildrop: MailboxLocation | None
    layout: str | None
    domains: tuple[DomainName, ...] | None
    links: tuple[Path, ...]


class Roster:
    """The users of a site."""

    def __init__(self, site: Site, settings: SpoolSettings) -> None:
        self._site: Final = site
        self._settings: Final = settings
        self._directory: Final = AssignDirectory(site.assign_compiled)

    def users(self) -> Iterator[tuple[UserName, AssignRecord]]:
        """Yield every user and their record, in the order of the assignments.

        Raises:
            DirectoryUnavailableError: ``assign.cdb`` cannot be read.
        """
        return self._directory.users()

    def describe(self, name: UserName) -> UserDescription:
        """Tell all about one user.

        Raises:
            NoSuchUserError: there is none of this name.
            SpoolError: the directory or a control file cannot be read.
        """
        record = self._directory.user(name)
        try:
            maildrop = locate_mailbox(name, uid=record.uid, gid=record.gid, home=record.home, settings=self._settings)
        except SpoolError:
            maildrop = None
        layouts = (self._settings.layout, *LAYOUTS)
        domains = Domains(self._site.domains).of(name)
        link = self._link(name, record.home)
        return UserDescription(
            user=name,
            record=record,
            maildrop=maildrop,
            layout=next((layout for layout in layouts if self._home(name, layout) == record.home), None),
            domains=None if domains is None else tuple(sorted(domains)),
            links=(link,) if link is not None and _leads_to(link, record.home) else (),
        )

    def add_user(self, new: NewUser) -> Added:
        """Add a user: home, maildrop, link, domains, and last the assignment.

        Holds when it returns. A crash before that leaves a user who does not exist yet, but may have a home; adding
        them again takes it over, as it does with the home of a former user.

        Raises:
            RosterError: the name is assigned, the home or the link has no place, a domain is not local.
            SpoolError: something could not be read or written.
        """
        if new.uid == 0:
            raise RosterError(f"{new.name}: uid 0 owns no mail")
        home = new.home or self._home(new.name, self._settings.layout)
        owner = {"uid": new.uid, "gid": new.gid}
        with self._locked() as assigned:
            if (record := assigned.assigned(new.name)) is not None:
                self._compile_if_stale(assigned)
                raise RosterError(f"{new.name}: is assigned already, to {record.user}")
            try:
                record = AssignRecord(new.name.text, new.uid, new.gid, home)
                changed = with_user(assigned, new.name, record, break_character=self._settings.break_character)
            except ValueError as error:
                raise RosterError(f"{new.name}: {error}") from error
            self._check_domains(new)
            self._check_home(home, new.uid, assigned)
            self._check_link(new.name, home)
            make_home(home, **owner, root=self._settings.root)
            make_mailbox(location_of_kind(new.kind, new.name, **owner, home=home, settings=self._settings))
            # Not the location just made: in a former user's home an earlier template may be found.
            location = locate_mailbox(new.name, **owner, home=home, settings=self._settings)
            self._make_link(new.name, home)
            self._write_domains(new.name, new.domains)
            self._write_assign(changed)
            taken = taken_extensions(new.name, assigned.users(), break_character=self._settings.break_character)
            return Added(location, tuple(taken))

    def remove_user(self, name: UserName, *, purge: bool = False) -> Removed:
        """Remove a user, with every assignment to them; the mail stays where it is unless ``purge`` is given.

        Holds when it returns. A purge first renames the home, so that mail that comes meanwhile waits, and bounces when
        the user is gone. A crash before the end leaves the user, to be removed again; only mail may be gone already.

        Raises:
            NoSuchUserError: there is none of this name.
            RosterError: a purge would remove what is not the user's alone.
            SpoolError: something could not be read or written.
        """
        with self._locked() as assigned:
            record = assigned.assigned(name)
            if record is None or record.user != name.text:
                self._compile_if_stale(assigned)
                raise NoSuchUserError(f"no user {name}")
            places = self._places_of_mail(name, record)
            if purge:
                _check_purge(record, assigned)
                for place in places:
                    _purge(place)
                places = ()
            self._remove_link(name, record.home)
            self._write_domains(name, ())
            self._write_assign(without_user(assigned, name))
            return Removed(name, places)

    def move_homes(self, moves: Mapping[UserName, HomeMove]) -> MovedHomes:
        """Rewrite the homes of users whose homes were moved, in all their assignments that name the old home.

        A user whose home is neither the old nor the new one is left alone. Holds when it returns; look-ups see all of
        it at one moment. A crash before that leaves the old homes or the new ones in the text, and none, or all, of
        the new ones in the database; the same call again does the rest.

        Raises:
            RosterError: a new home cannot stand in a line of assignments; nothing was changed.
            SpoolError: something could not be read or written.
        """
        with self._locked() as assigned:
            try:
                changed, report = with_homes(assigned, moves)
            except ValueError as error:
                raise RosterError(str(error)) from error
            if changed.text != assigned.text:
                self._write_assign(changed)
            else:
                self._compile_if_stale(assigned)
            return report

    # -- assignments and domains --------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _locked(self) -> Iterator[AssignText]:
        """Hold the lock of the roster, and give the assignments as they are."""
        with durable.storage_errors(self._site.assign_lock):
            lock = durable.open_for_update(self._site.assign_lock, create_mode=0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield AssignText.parse(_read_control(self._site.assign), file=self._site.assign)
        finally:
            os.close(lock)

    def _write_assign(self, changed: AssignText) -> None:
        _replace_control(self._site.assign, changed.text)
        publish_records(changed.records(), self._site.assign_compiled)

    def _compile_if_stale(self, assigned: AssignText) -> None:
        """Finish a change that was stopped between the text and the database."""
        try:
            current = _read_control(self._site.assign_compiled)
        except SettingsError:
            current = b""
        if current != b"".join(compile_records(assigned.records())):
            publish_records(assigned.records(), self._site.assign_compiled)

    def _check_domains(self, new: NewUser) -> None:
        local = Locals(self._site.locals)
        for domain in new.domains:
            if not local.contains(domain):
                raise RosterError(f"{domain}: is not in {self._site.locals}")

    def _write_domains(self, name: UserName, domains: tuple[DomainName, ...]) -> None:
        path = self._site.domains
        old = _read_control(path) if path.exists() else b""
        new = with_memberships(old.decode("utf-8", "surrogateescape"), name, domains).encode("utf-8", "surrogateescape")
        if new != old:
            _replace_control(path, new)

    # -- homes --------------------------------------------------------------------------------------------------------

    def _home(self, name: UserName, layout: str) -> Path:
        return layout_named(layout).path(self._settings.root, name)

    def _check_home(self, home: Path, uid: int, assigned: AssignText) -> None:
        """Refuse a home that is another user's, lies in one, or holds one.

        That is how layouts collide: the home ``l`` of a user under ``flat`` is the hash directory ``l`` of ``letter``.
        """
        above, below = {str(directory) for directory in home.parents}, f"{home}/"
        # As text: a comparison of paths for each of many users would take minutes.
        for other, user in assigned.homes():
            if other == str(home):
                raise RosterError(f"{home}: is the home of {user}")
            if other in above:
                raise RosterError(f"{home}: would lie in the home of {user}, {other}")
            if other.startswith(below):
                raise RosterError(f"{home}: holds the home of {user}, {other}")
        root = self._settings.root
        if root not in home.parents:
            return
        with durable.storage_errors(home):
            for directory in home.parents:
                if root in directory.parents and (directory / STATE_DIRECTORY).exists():
                    raise RosterError(f"{home}: would lie in {directory}, the home of a former user")
            if home.is_dir() and any(home.iterdir()):
                if not (home / STATE_DIRECTORY).exists():
                    raise RosterError(f"{home}: is in use, and not as a home")
                if (owner := home.stat().st_uid) != uid:
                    raise RosterError(f"{home}: is there and belongs to uid {owner}, not to {uid}")

    def _places_of_mail(self, name: UserName, record: AssignRecord) -> tuple[Path, ...]:
        """Say where the user may have mail: the home, and what of the templates is outside of it."""
        directory = hash_directory(name, record.home, self._settings)
        outside = (
            template.path(home=record.home, user=name, directory=directory)
            for template in self._settings.templates
            if not template.in_home
        )
        return record.home, *(place for place in outside if place.exists())

    # -- links --------------------------------------------------------------------------------------------------------

    def _link(self, name: UserName, home: Path) -> Path | None:
        """Say where the link to a home belongs, None if there is to be none."""
        template = self._settings.home_link
        link = None if template is None else Path(template.format_map({"user": name.text}))
        return None if link == home else link

    def _check_link(self, name: UserName, home: Path) -> None:
        link = self._link(name, home)
        if link is not None and link.exists() and not link.is_symlink():
            raise RosterError(f"{link}: is there and is no link")

    def _make_link(self, name: UserName, home: Path) -> None:
        link = self._link(name, home)
        if link is not None:
            with durable.storage_errors(link):
                durable.make_symlink(link, str(home))

    def _remove_link(self, name: UserName, home: Path) -> None:
        link = self._link(name, home)
        if link is not None and _leads_to(link, home):
            with durable.storage_errors(link):
                durable.remove(link)
                durable.sync_directory(link.parent)


def _leads_to(link: Path, home: Path) -> bool:
    return link.is_symlink() and link.readlink() == home


def _check_purge(record: AssignRecord, assigned: AssignText) -> None:
    """Refuse to purge a home that is not the user's, or that another user needs."""
    home = f"{record.home}/"
    for other, user in assigned.homes():
        if user != record.user and f"{other}/".startswith(home):
            raise RosterError(f"{record.home}: not purged, because {user} needs it")
    with durable.storage_errors(record.home), contextlib.suppress(FileNotFoundError):
        owner = record.home.lstat().st_uid
        if owner != record.uid:
            raise RosterError(f"{record.home}: not purged, because it belongs to uid {owner}")


def _purge(place: Path) -> None:
    """Remove a home, or a mailbox outside of it.

    Holds when it returns. A crash before that may leave a directory ``.NAME.purged``, which the next try removes.
    """
    doomed = place.with_name(f".{place.name}.purged")
    with durable.storage_errors(place):
        if place.is_file():
            durable.remove(place)
            durable.sync_directory(place.parent)
            return
        durable.remove_tree(doomed)
        with contextlib.suppress(FileNotFoundError):
            durable.rename(place, doomed)
            durable.sync_directory(place.parent)
        durable.remove_tree(doomed)


def _read_control(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error


def _replace_control(path: Path, text: bytes) -> None:
    """Replace a control file, keeping owner and mode. Holds when it returns; a crash leaves the old or the new."""
    mode, owner = 0o644, None
    with durable.storage_errors(path):
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            mode, owner = stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid)
        durable.replace_file(path, [text], mode=mode, owner=owner)
