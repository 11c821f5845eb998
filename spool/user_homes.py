"""A user's places on disk: the home, what of the mail is outside of it, and the link to it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from spool import durable
from spool.errors import RosterError
from spool.homes import (
    STATE_DIRECTORY,
    hash_directory,
    locate_mailbox,
    location_of_kind,
    make_home,
    make_mailbox,
)
from spool.layouts import layout_named
from spool.mailbox import MailboxKind, MailboxLocation
from spool.names import UserName
from spool.settings import SpoolSettings


class UserHomes:
    """Checks, makes and removes the places of users, as the settings say."""

    def __init__(self, settings: SpoolSettings) -> None:
        self._settings: Final = settings

    def by_layout(self, name: UserName, layout: str | None = None) -> Path:
        """Say where a layout, if none is named the site's, puts a user's home."""
        return layout_named(layout or self._settings.layout).path(self._settings.root, name)

    def check(self, name: UserName, home: Path, uid: int) -> None:
        """See that a new user's home and link have a place on disk.

        Raises:
            RosterError: something else stands there.
            SpoolError: it cannot be looked at.
        """
        self._check_home(home, uid)
        link = self.link(name, home)
        if link is not None and link.exists() and not link.is_symlink():
            raise RosterError(f"{link}: is there and is no link")

    def make(
        self, name: UserName, *, uid: int, gid: int, home: Path, kind: MailboxKind | None = None
    ) -> MailboxLocation:
        """Make what is missing of a home, a mailbox and the link.

        Holds when it returns. A crash before that leaves a part of it; running it again makes the rest.

        Raises:
            SpoolError: something could not be made, or stands in the way.
        """
        make_home(home, uid=uid, gid=gid, root=self._settings.root)
        make_mailbox(location_of_kind(kind, name, uid=uid, gid=gid, home=home, settings=self._settings))
        # Not the location just made: in a former user's home an earlier template may be found.
        location = locate_mailbox(name, uid=uid, gid=gid, home=home, settings=self._settings)
        link = self.link(name, home)
        if link is not None:
            with durable.storage_errors(link):
                durable.make_symlink(link, str(home))
        return location

    def link(self, name: UserName, home: Path) -> Path | None:
        """Say where the link to a home belongs, None if there is to be none."""
        template = self._settings.home_link
        link = None if template is None else Path(template.format_map({"user": name.text}))
        return None if link == home else link

    def remove_link(self, name: UserName, home: Path) -> None:
        """Remove the link if it leads to this home. Holds when it returns.

        Raises:
            SpoolError: it could not be removed.
        """
        link = self.link(name, home)
        if link is not None and leads_to(link, home):
            with durable.storage_errors(link):
                durable.remove(link)
                durable.sync_directory(link.parent)

    def places_of_mail(self, name: UserName, home: Path) -> tuple[Path, ...]:
        """Say where the user may have mail: the home, and what of the templates is outside of it."""
        directory = hash_directory(name, home, self._settings)
        outside = (
            template.path(home=home, user=name, directory=directory)
            for template in self._settings.templates
            if not template.in_home
        )
        return home, *(place for place in outside if place.exists())

    def _check_home(self, home: Path, uid: int) -> None:
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


def leads_to(link: Path, home: Path) -> bool:
    """Whether it is a link to exactly this home."""
    return link.is_symlink() and link.readlink() == home


def purge(place: Path) -> None:
    """Remove a home, or a mailbox outside of it.

    Holds when it returns. A crash before that may leave a directory ``.NAME.purged``, which the next try removes.

    Raises:
        SpoolError: something could not be removed.
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
