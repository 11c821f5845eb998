"""What checks look with: the site, the clock, and the questions that tests answer themselves; and one open home."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spool.assign import AssignRecord
from spool.assign_directory import AssignDirectory
from spool.checking.places import Place, names_in, status_of
from spool.checking.rehash_state import RehashState
from spool.homes import STATE_DIRECTORY, possible_locations
from spool.mailbox import MailboxLocation
from spool.names import UserName
from spool.settings import SpoolSettings
from spool.site import Site


@dataclass(frozen=True, slots=True)
class Account:
    """What getpw() says of a user."""

    uid: int
    home: Path


@dataclass(frozen=True, slots=True)
class View:
    """What checks look with.

    Attributes:
        site: the site.
        settings: of the spool.
        directory: of its users.
        now: seconds since 1970.
        deep: whether to read mail.
        secrets: further files that only their owner may read, such as the keys of certificates.
        account_of: asks getpw(); None to ask nobody.
        statvfs: asks how full a file system is.
        rehash: whether homes are being moved.
    """

    site: Site
    settings: SpoolSettings
    directory: AssignDirectory
    now: Callable[[], float]
    deep: bool
    secrets: tuple[Path, ...]
    account_of: Callable[[str], Account | None] | None
    statvfs: Callable[[int], os.statvfs_result]
    rehash: RehashState

    def is_below_root(self, path: Path) -> bool:
        """Whether a path lies below the spool root."""
        return str(path).startswith(f"{str(self.settings.root).rstrip('/')}/")

    def is_older(self, status: os.stat_result, seconds: float) -> bool:
        """Whether a file was last written longer ago than this."""
        return self.now() - status.st_mtime > seconds


class Home:
    """A user's home, open for looking.

    Attributes:
        user: whose it is.
        record: their assignment.
        path: where it is: elsewhere than the record says while it is being moved.
        owner: uid and gid that everything in it should have.
        descriptor: of the directory.
        status: of the directory, when it was opened.
        names: what is in it.
        locations: where the user's mailbox may be.
    """

    __slots__ = ("_base", "_name", "descriptor", "locations", "names", "owner", "path", "record", "status", "user")

    def __init__(
        self, user: UserName, record: AssignRecord, path: Path, descriptor: int, settings: SpoolSettings
    ) -> None:
        self.user: Final = user
        self.record: Final = record
        self.path: Final = path
        self.owner: Final = (record.uid, record.gid)
        self.descriptor: Final = descriptor
        self.status: Final = os.fstat(descriptor)
        self.names: Final = frozenset(names_in(descriptor))
        # Taken apart once: of each home some twenty places are looked at.
        self._base: Final = path.parent
        self._name: Final = path.name
        self.locations: Final = possible_locations(user, uid=record.uid, gid=record.gid, home=path, settings=settings)

    @property
    def itself(self) -> Place:
        """The place of the home."""
        return Place(self._base, (self._name,))

    def place(self, *parts: str) -> Place:
        """A place in the home."""
        return Place(self._base, (self._name, *parts), self.record.uid)

    def place_of(self, location: MailboxLocation) -> Place:
        """The place of a mailbox, in the home or outside of it."""
        above, path = f"{self.path}/", str(location.path)
        if path.startswith(above):
            return self.place(*path[len(above) :].split("/"))
        return Place.of(location.path)

    def look_at(self, place: Place) -> os.stat_result | None:
        """Look at a place in the home or at one of its mailboxes, not through links; None if it is missing.

        Raises:
            OSError: it cannot be looked at.
        """
        if place.home_uid is not None and len(place.parts) == 2:
            # The usual case, without opening anything, and mostly without asking for what is not there.
            return status_of(place.name, self.descriptor) if place.name in self.names else None
        try:
            with place.for_looking.opened_parent() as parent:
                return status_of(place.name, parent)
        except FileNotFoundError:
            return None

    @property
    def state(self) -> Place:
        """The place of the directory for our own files."""
        return self.place(STATE_DIRECTORY)

    @property
    def is_passable(self) -> bool:
        """Whether others can reach what is in it."""
        return bool(self.status.st_mode & 0o001)


@dataclass(frozen=True, slots=True)
class Seen:
    """A mailbox as it was seen: where it is, and what its name stands for."""

    location: MailboxLocation
    place: Place
    status: os.stat_result
