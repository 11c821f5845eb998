"""A view of a made site, for single checks."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from spool.assign_directory import AssignDirectory
from spool.checking.homes import open_home
from spool.checking.view import Home, View
from spool.names import UserName
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
    )
    return replace(view, **values)


def home_of(made: MadeSite, name: str) -> Home:
    """A user's home, open; what is left open ends with the test's process."""
    home = open_home(UserName(name), made.roster.describe(UserName(name)).record, view_of(made))
    assert isinstance(home, Home)
    return home
