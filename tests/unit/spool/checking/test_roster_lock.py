"""Tests of ``spool.checking.roster_lock``."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from spool.checking.roster_lock import roster_locked
from spool.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    site.control.mkdir()
    return site


def test_where_nobody_was_ever_added_there_is_nothing_to_lock(site: Site) -> None:
    with roster_locked(site) as held:
        assert held
    assert not site.assign_lock.exists()


def test_others_wait_while_it_is_held(site: Site) -> None:
    site.assign_lock.touch()
    with site.assign_lock.open() as other:
        with roster_locked(site) as held:
            assert held
            with pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_it_is_waited_for_and_then_held(site: Site) -> None:
    site.assign_lock.touch()
    with site.assign_lock.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with roster_locked(site, monotonic=lambda: 0.0, sleep=lambda _: fcntl.flock(other, fcntl.LOCK_UN)) as held:
            assert held


def test_it_is_not_waited_for_for_ever(site: Site) -> None:
    site.assign_lock.touch()
    times = iter([0.0, 29.0, 30.0])
    with site.assign_lock.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with roster_locked(site, monotonic=lambda: next(times), sleep=lambda _: None) as held:
            assert not held


def test_a_link_is_no_lock(site: Site) -> None:
    site.assign_lock.symlink_to("/etc/passwd")
    with roster_locked(site) as held:
        assert not held
