"""The roster after a power cut: users are there as a whole or not at all, and the same command goes on from there."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from spool.assign_directory import AssignDirectory
from spool.control_files import Domains
from spool.errors import NoSuchUserError, RosterError
from spool.homes import locate_mailbox
from spool.names import DomainName, UserName
from spool.roster import NewUser, Roster
from spool.settings import SpoolSettings
from spool.site import Site
from tests.crash.losing import each_power_cut

# Root may give homes away; others can only have their own.
UID, GID = os.getuid() or 1000, os.getgid() or 1000
ANN, BOB = UserName("ann"), UserName("bob")
ORG = DomainName("example.org")


@dataclass(frozen=True, slots=True)
class Place:
    """A site, and its spool root below the same directory."""

    directory: Path

    @property
    def site(self) -> Site:
        return Site(self.directory / "site")

    @property
    def settings(self) -> SpoolSettings:
        root = self.directory / "mail"
        return SpoolSettings(root=root, layout="first-two", home_link=f"{self.directory}/links/{{user}}")

    @property
    def roster(self) -> Roster:
        return Roster(self.site, self.settings)

    def add(self, name: UserName) -> None:
        self.roster.add_user(NewUser(name, UID, GID, domains=(ORG,)))

    def users(self) -> set[UserName]:
        return {name for name, _ in AssignDirectory(self.site.assign_compiled).users()}

    def is_whole(self, name: UserName) -> bool:
        """Whether a user has all that adding one makes: a mailbox, a link to the home, a domain."""
        record = AssignDirectory(self.site.assign_compiled).user(name)
        locate_mailbox(name, uid=UID, gid=GID, home=record.home, settings=self.settings)
        link = self.directory / "links" / name.text
        return link.readlink() == record.home and Domains(self.site.domains).of(name) == frozenset({ORG})


def fresh(directory: Path, number: int) -> Place:
    """A site with the user bob."""
    place = Place(directory / str(number))
    for path in (place.site.control, place.settings.root, place.directory / "links"):
        path.mkdir(parents=True)
    place.site.assign.write_bytes(b".\n")
    place.site.locals.write_text("example.org\n")
    place.add(BOB)
    return place


def test_a_user_who_was_being_added_is_whole_or_not_there_and_can_be_added_again(tmp_path: Path) -> None:
    for cut in each_power_cut(
        partial(fresh, tmp_path),
        lambda place: partial(place.add, ANN),
        root=lambda place: place.directory,
        step=4,
    ):
        place = cut.state
        assert place.is_whole(BOB), cut
        if ANN in place.users():
            assert place.is_whole(ANN), cut
        else:
            assert not cut.completed, cut
            with suppress(RosterError):  # "is assigned already": so the text said, which is compiled now
                place.add(ANN)
            assert place.is_whole(ANN), cut
        shutil.rmtree(place.directory)


def test_a_user_who_was_being_purged_is_gone_in_the_end_and_nobody_else(tmp_path: Path) -> None:
    def prepare(number: int) -> Place:
        place = fresh(tmp_path, number)
        place.add(ANN)
        return place

    for cut in each_power_cut(
        prepare,
        lambda place: partial(place.roster.remove_user, ANN, purge=True),
        root=lambda place: place.directory,
        step=4,
    ):
        place = cut.state
        if ANN in place.users():
            assert not cut.completed, cut
            with suppress(NoSuchUserError):  # so the text said, which is compiled now
                place.roster.remove_user(ANN, purge=True)
        assert place.users() == {BOB}, cut
        assert place.is_whole(BOB), cut
        shutil.rmtree(place.directory)
