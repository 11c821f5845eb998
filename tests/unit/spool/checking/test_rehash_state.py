"""Tests of ``spool.checking.rehash_state``, and of homes that are at two places."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spool.checking.rehash_state import RehashState
from spool.names import UserName
from spool.rehash.journal import NAME
from tests.unit.spool.checking.breakages import BREAKAGES
from tests.unit.spool.checking.made_site import MadeSite
from tests.unit.spool.checking.views import begin_rehash


def test_without_a_journal_nothing_is_moved(tmp_path: Path) -> None:
    assert not RehashState(tmp_path).is_open


def test_a_rehash_is_open_from_its_first_batch_until_all_is_tidied_up(made: MadeSite) -> None:
    state = RehashState(made.site.maintenance)
    journal = begin_rehash(made)
    assert state.is_open
    assert state.is_open
    journal.end_batch({}, (), 0.0)
    assert not state.is_open


@pytest.mark.parametrize("content", [b"hello\nhello\n", None])
def test_a_journal_that_cannot_be_read_may_be_at_work(tmp_path: Path, content: bytes | None) -> None:
    if content is None:
        (tmp_path / NAME).symlink_to(NAME)
    else:
        (tmp_path / NAME).write_bytes(content)
    assert RehashState(tmp_path).is_open


def moved(made: MadeSite) -> Path:
    """Ann's home at its new place, with a link at the old one."""
    begin_rehash(made)
    old, new = made.home("ann"), made.root / "a" / "ann"
    new.parent.mkdir()
    old.rename(new)
    old.symlink_to(os.path.relpath(new, old.parent))
    return new


def test_a_home_that_is_moved_and_not_yet_published_is_checked_where_it_is(made: MadeSite) -> None:
    new = moved(made)
    assert made.kinds() == []
    (new / "Maildir" / "cur").rename(made.directory / "elsewhere")
    told, _ = made.check(repair=True)
    assert [(each.finding.path, each.outcome.value) for each in told] == [(new / "Maildir" / "cur", "mended")]
    assert made.kinds() == []


def test_a_link_in_the_place_of_a_home_needs_a_person_without_a_rehash(made: MadeSite) -> None:
    moved(made)
    (made.site.maintenance / NAME).unlink()
    assert "home-strange" in made.kinds(users=(UserName("ann"),))


def test_repair_does_not_follow_a_link_to_another_users_home(made: MadeSite) -> None:
    begin_rehash(made)
    BREAKAGES["no cur"].make(made)
    made.add("joe")
    made.give_homes()
    joe = made.roster.describe(UserName("joe")).record.home
    joe.rename(made.directory / "moved")
    joe.symlink_to("/etc")
    assert "home-strange" in made.kinds(repair=True, users=(UserName("joe"),))
