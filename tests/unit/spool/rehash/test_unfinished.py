"""Tests of ``spool.rehash.unfinished``, and of deleting a user's mail during a rehash."""

from __future__ import annotations

import pytest

from spool.errors import MaintenanceBusyError, NoSuchUserError, RosterError
from spool.maintenance import maintenance
from spool.names import UserName
from spool.rehash.journal import Journal
from spool.rehash.moves import Move
from spool.rehash.unfinished import kept_homes
from tests.rehash_sites import RehashSite

BOB, ZOE = UserName("bob"), UserName("zoe")
DAY = 86400


def begin_batch(site: RehashSite, name: str) -> None:
    """As a rehash that was stopped before it moved the home."""
    with maintenance(site.site) as directory:
        journal = Journal.begin(directory, "first-two")
        record = site.record(name)
        new = site.root / name[0] / name[1] / name
        journal.begin_batch([Move(UserName(name), record.uid, record.gid, record.home, new)])


def test_without_a_rehash_all_is_in_the_home(site: RehashSite) -> None:
    with maintenance(site.site) as directory:
        assert kept_homes(directory, ZOE) == ()


def test_a_home_that_was_only_renamed_left_nothing(site: RehashSite) -> None:
    site.run("first-two")
    assert kept_homes(site.site.maintenance, ZOE) == ()


def test_a_purge_takes_the_old_home_of_a_copied_one_too(two_disks: RehashSite) -> None:
    two_disks.run("first-two")
    assert kept_homes(two_disks.site.maintenance, BOB) == (two_disks.root / "q" / ".bob.rehashed",)
    two_disks.roster.remove_user(BOB, purge=True)
    assert not list(two_disks.root.rglob("*bob*"))
    two_disks.clock.now += DAY
    report = two_disks.run("first-two")
    assert (report.kept, report.failed) == (0, [])


def test_who_is_in_an_unfinished_batch_is_not_purged(site: RehashSite) -> None:
    begin_batch(site, "zoe")
    home = site.record("zoe").home
    with pytest.raises(RosterError, match="a rehash that was stopped"):
        site.roster.remove_user(ZOE, purge=True)
    assert (home / "Maildir").is_dir()
    assert site.record("zoe").home == home
    site.roster.remove_user(UserName("max"), purge=True)
    assert site.run("first-two").failed == []
    site.roster.remove_user(ZOE, purge=True)
    assert not list(site.root.rglob("*zoe*"))
    with pytest.raises(NoSuchUserError):
        site.record("zoe")


def test_nobody_is_purged_while_homes_are_moved(site: RehashSite) -> None:
    with maintenance(site.site):
        with pytest.raises(MaintenanceBusyError):
            site.roster.remove_user(ZOE, purge=True)
        site.roster.remove_user(ZOE)
    assert list(site.root.rglob("zoe/Maildir"))
