"""A view of a made site, for single checks."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from spool.assign_directory import AssignDirectory
from spool.checking.homes import open_home
from spool.checking.rehash_state import RehashState
from spool.checking.view import Home, View
from spool.names import UserName
from spool.rehash.journal import Journal
from spool.rehash.moves import Move
from tests.unit.spool.checking.made_site import MadeSite


def view_of(made: MadeSite, **values: Any) -> View:
    """What a check of the site looks with."""
    view = View(
        site=made.site,
        settings=made.settings,
        directory=AssignDirectory(made.site.assign_compiled),
        now=time.time,
        deep=False,
        secrets=(),
        account_of=None,
        statvfs=lambda _descriptor: made.room,
        rehash=RehashState(made.site.maintenance),
    )
    return replace(view, **values)


def home_of(made: MadeSite, name: str) -> Home:
    """A user's home, open; what is left open ends with the test's process."""
    home = open_home(UserName(name), made.roster.describe(UserName(name)).record, view_of(made))
    assert isinstance(home, Home)
    return home


def begin_rehash(made: MadeSite) -> Journal:
    """Let a rehash look as if it was stopped before it moved anything."""
    made.site.maintenance.mkdir(mode=0o700)
    journal = Journal.begin(made.site.maintenance, "first")
    record = made.roster.describe(UserName("ann")).record
    journal.begin_batch([Move(UserName("ann"), record.uid, record.gid, record.home, made.root / "a" / "ann")])
    return journal
