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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spool import durable
from spool.assign import AssignRecord
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
from spool.control_files import Domains
from spool.errors import NoSuchUserError, RosterError, SpoolError
from spool.homes import locate_mailbox
from spool.layouts import LAYOUTS
from spool.mailbox import MailboxKind, MailboxLocation
from spool.maintenance import maintenance
from spool.names import DomainName, UserName
from spool.quota.table import write_limit
from spool.rehash.unfinished import kept_homes
from spool.roster_files import RosterFiles
from spool.settings import SpoolSettings
from spool.site import Site
from spool.user_homes import UserHomes, leads_to
from spool.user_homes import purge as purge_place


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
        self._files: Final = RosterFiles(site)
        self._homes: Final = UserHomes(settings)

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
        link = self._homes.link(name, record.home)
        return UserDescription(
            user=name,
            record=record,
            maildrop=maildrop,
            layout=next((layout for layout in layouts if self._homes.by_layout(name, layout) == record.home), None),
            domains=None if domains is None else tuple(sorted(domains)),
            links=(link,) if link is not None and leads_to(link, record.home) else (),
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
        home = new.home or self._homes.by_layout(new.name)
        with self._files.locked() as assigned:
            if (record := assigned.assigned(new.name)) is not None:
                self._files.compile_if_stale(assigned)
                raise RosterError(f"{new.name}: is assigned already, to {record.user}")
            try:
                record = AssignRecord(new.name.text, new.uid, new.gid, home)
                changed = with_user(assigned, new.name, record, break_character=self._settings.break_character)
            except ValueError as error:
                raise RosterError(f"{new.name}: {error}") from error
            self._files.check_domains(new.domains)
            _check_apart(home, assigned)
            self._homes.check(new.name, home, new.uid)
            location = self._homes.make(new.name, uid=new.uid, gid=new.gid, home=home, kind=new.kind)
            self._files.write_domains({new.name: new.domains})
            self._files.write(changed)
            taken = taken_extensions(new.name, assigned.users(), break_character=self._settings.break_character)
            return Added(location, tuple(taken))

    def remove_user(self, name: UserName, *, purge: bool = False) -> Removed:
        """Remove a user, with every assignment to them; the mail stays where it is unless ``purge`` is given.

        Holds when it returns. A purge first renames the home, so that mail that comes meanwhile waits, and bounces when
        the user is gone. It takes the lock of maintenance, because a home must not be moved, nor mail be carried into
        it, meanwhile; an old home that a rehash keeps goes, too. A crash before the end leaves the user, to be removed
        again; only mail may be gone already.

        Raises:
            NoSuchUserError: there is none of this name.
            MaintenanceBusyError: there is something to purge, and a maintenance program is running.
            RosterError: a purge would remove what is not the user's alone, or a rehash of the home is not finished.
            SpoolError: something could not be read or written.
        """
        with contextlib.ExitStack() as locks:
            kept: tuple[Path, ...] = ()
            if purge:
                kept = kept_homes(locks.enter_context(maintenance(self._site)), name)
            assigned = locks.enter_context(self._files.locked())
            record = assigned.assigned(name)
            if record is None or record.user != name.text:
                self._files.compile_if_stale(assigned)
                raise NoSuchUserError(f"no user {name}")
            places = self._homes.places_of_mail(name, record.home)
            if purge:
                _check_purge(record, assigned)
                for place in (*places, *kept):
                    purge_place(place)
                places = ()
            self._homes.remove_link(name, record.home)
            self._files.write_domains({name: ()})
            write_limit(self._site.quotas, name, None)
            self._files.write(without_user(assigned, name))
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
        with self._files.locked() as assigned:
            try:
                changed, report = with_homes(assigned, moves)
            except ValueError as error:
                raise RosterError(str(error)) from error
            if changed.text != assigned.text:
                self._files.write(changed)
            else:
                self._files.compile_if_stale(assigned)
            return report


def _check_apart(home: Path, assigned: AssignText) -> None:
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
