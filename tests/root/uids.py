"""Users with uids of their own, and who a process is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from accounts.administration import Administration
from accounts.credentials import Credentials
from spool.assign_directory import AssignDirectory
from spool.names import UserName
from spool.roster import NewUser, Roster
from spool.site import Site
from tests.interop.live_site import PASSWORD, LiveSite
from tools.site_settings import read_site_settings

FIRST_UID: Final = 20_100
_HELD: Final = re.compile(r"^(Uid|Gid|Groups|CapInh|CapPrm|CapEff|CapAmb):[ \t]*(.*)$", re.MULTILINE)


def add_users(site: LiveSite, users: Iterable[NewUser]) -> None:
    """Add users all at once, without a program for each."""
    settings = read_site_settings(Site(site.site))
    credentials = Credentials.in_directory(Site(site.site).control)
    administration = Administration(Roster(Site(site.site), settings.spool), credentials, settings.auth.schemes)
    for user in users:
        administration.add_user(user, PASSWORD.encode())


def new_user(name: str, number: int | None, site: LiveSite, home: Path | None = None) -> NewUser:
    """A user with the ``number``-th uid, or the service's."""
    if number is not None:
        return NewUser(UserName(name), FIRST_UID + number, FIRST_UID + number, home)
    status = (site.directory / "spool").stat()
    return NewUser(UserName(name), status.st_uid, status.st_gid, home)


def home_of(site: LiveSite, user: str) -> Path:
    """Where a user's home is."""
    return AssignDirectory(Site(site.site).assign_compiled).user(UserName(user)).home


@dataclass(frozen=True)
class Rights:
    """Who a process is: every uid and gid it holds, its groups, and whether it has any capability."""

    uids: frozenset[int]
    gids: frozenset[int]
    groups: frozenset[int]
    capable: bool


def rights_of(pid: int) -> Rights:
    """Ask the kernel."""
    held = dict(_HELD.findall(Path(f"/proc/{pid}/status").read_text()))
    numbers = {name: frozenset(map(int, held[name].split())) for name in ("Uid", "Gid", "Groups")}
    capable = any(int(value, 16) for name, value in held.items() if name.startswith("Cap"))
    return Rights(numbers["Uid"], numbers["Gid"], numbers["Groups"], capable)
