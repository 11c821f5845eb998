"""Tests of ``spool.carrying.journals``."""

from __future__ import annotations

from pathlib import Path

from spool.carrying.journals import UserJournals
from spool.names import UserName


def test_each_source_has_journals_of_its_own(tmp_path: Path) -> None:
    journals = UserJournals(tmp_path, UserName("ann"))
    one, other = Path("/old/one"), Path("/old/other")
    names = {journals.carrying(one), journals.removal(one), journals.carrying(other), journals.removal(other)}
    assert len(names) == 4
    assert {name.parent for name in names} == {tmp_path / "carrying" / "ann"}
    assert UserJournals(tmp_path, UserName("ann")).carrying(one) in names


def test_a_journal_that_is_left_says_what_is_under_way(tmp_path: Path) -> None:
    journals = UserJournals(tmp_path, UserName("ann"))
    assert journals.under_way() == ()
    journals.make()
    journals.make()
    journals.removal(Path("/old")).touch()
    assert journals.under_way() == ()
    journals.carrying(Path("/old")).touch()
    assert journals.under_way() == (journals.carrying(Path("/old")),)


def test_directories_go_when_they_are_empty(tmp_path: Path) -> None:
    ann, bob = UserJournals(tmp_path, UserName("ann")), UserJournals(tmp_path, UserName("bob"))
    ann.make()
    bob.make()
    ann.tidy()
    assert not ann.directory.exists()
    bob.removal(Path("/old")).touch()
    bob.tidy()
    assert bob.directory.exists()
