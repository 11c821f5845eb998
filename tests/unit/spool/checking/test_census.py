"""Tests of ``spool.checking.census``."""

from __future__ import annotations

from pathlib import Path

import pytest

from spool.checking.census import Census
from spool.checking.homes import open_home
from spool.checking.view import Home
from spool.names import UserName
from tests.unit.spool.checking.made_site import MadeSite
from tests.unit.spool.checking.views import begin_rehash, view_of


def test_homes_that_another_layout_put_there_are_told_once_with_an_example(made: MadeSite) -> None:
    made.changed_settings["layout"] = "first-two"
    (told,), _ = made.check()
    assert told.finding.kind.name == "layout-differs"
    assert told.finding.detail.startswith("2 of 2 homes, such as that of ann,")


def test_while_homes_are_moved_another_layout_is_no_finding(made: MadeSite) -> None:
    made.changed_settings["layout"] = "first-two"
    begin_rehash(made)
    assert made.kinds() == []


def test_homes_outside_of_the_root_have_no_layout(made: MadeSite) -> None:
    made.add("joe", home=made.directory / "joe")
    made.give_homes()
    assert made.kinds() == []


def test_homes_on_another_file_system_are_counted(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    view = view_of(made)
    census = Census(view)
    home = open_home(UserName("ann"), made.roster.describe(UserName("ann")).record, view)
    assert isinstance(home, Home)
    census.count_home(home)
    other = Path("/proc").stat()
    monkeypatch.setattr(Path, "stat", lambda *_, **__: other)
    (finding,) = census.findings()
    assert (finding.kind.name, finding.path, finding.detail) == (
        "other-file-system",
        home.path,
        "1 homes, such as this one",
    )


def test_a_home_whose_name_is_no_user_s_is_known_by_its_path(made: MadeSite) -> None:
    made.add("joe", home=made.directory / "Joe's home")
    made.give_homes()
    assert made.kinds() == []
    assert Census(view_of(made)).owner_of(str(made.directory / "Joe's home")) == UserName("joe")


def test_a_root_that_is_not_there_is_another_check_s_matter(made: MadeSite) -> None:
    census = Census(view_of(made))
    made.root.rename(made.directory / "elsewhere")
    assert list(census.findings()) == []
