"""Tests of ``tools.spool_rehash``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from spool.acting_as import acting_as
from spool.assign_directory import AssignDirectory
from spool.homes import locate_mailbox
from spool.names import UserName
from spool.rehash.rehash import Report
from spool.session_lock import SessionLock
from spool.settings import SpoolSettings
from spool.site import Site
from tests.unit.tools.conftest import MadeSite, Ran
from tools import spool_rehash


@pytest.fixture
def users(site: MadeSite) -> MadeSite:
    """A site with the users ann and bob, whose links wait for nothing."""
    site.add("ann", "--domain", "example.org")
    site.add("bob", "--domain", "example.net")
    for directory in site.directory.parents:
        # Root works with the rights of the site's account, who must get there.
        if os.geteuid() == 0 and not directory.stat().st_mode & 0o001:
            directory.chmod(0o711)
    site.settings.write_text(f"{site.settings.read_text()}\n[rehash]\nlink_seconds = 0\n")
    return site


def rehash(site: MadeSite, *words: str) -> Ran:
    return site.runner("spool-rehash", words[0], "--site", site.directory, *words[1:])


def home_of(site: MadeSite, name: str) -> Path:
    return AssignDirectory(Site(site.directory).assign_compiled).user(UserName(name)).home


def test_a_plan_compares_layouts(users: MadeSite) -> None:
    ran = rehash(users, "plan", "--to", "first-two", "--sizes")
    assert ran.status == 0
    assert ran.out.startswith("2 users: 2 to move to first-two, 0 in place, 0 placed by hand\n2 renamed below ")
    assert "\nflat: directories by number of users\n" in ran.out
    found = json.loads(rehash(users, "plan", "--to", "first-two", "--json", "--domain", "example.ORG").out)
    assert (found["moves"], found["obstacles"]) == (1, [])
    assert {one["layout"] for one in found["evenness"]} >= {"letter", "hex2"}


def test_obstacles_need_a_person(users: MadeSite) -> None:
    (home_of(users, "ann").parents[1] / "a" / "n" / "ann").mkdir(parents=True)
    for action in (("plan",), ("run",), ("run", "--dry-run")):
        ran = rehash(users, *action, "--to", "first-two")
        assert ran.status == 4
        assert "spool-rehash: ann: " in ran.err
    assert json.loads(rehash(users, "run", "--to", "first-two", "--dry-run", "--json").out)["moves"] == 2


def test_a_layout_must_be_named_and_exist(users: MadeSite) -> None:
    assert rehash(users, "run").status == 2
    assert rehash(users, "plan", "--to", "none").status == 2
    assert rehash(users, "run", "--to", "hex2", "--rate", "0").status == 2


def test_everybody_goes_there_and_back(users: MadeSite) -> None:
    before = home_of(users, "ann")
    assert rehash(users, "plan", "--to", "first-two", "--record").status == 0
    assert rehash(users, "run", "--to", "first-two", "--rate", "1000") == Ran(
        0,
        'new users are put where layout = "first-two" says\n'
        "2 moved, 0 busy, 0 failed\n2 links removed, 0 late messages taken along\n",
        "",
    )
    assert home_of(users, "ann").parts[-3:] == ("a", "n", "ann")
    assert rehash(users, "status").out == "to first-two: 2 moved in 1 batches\n"
    assert rehash(users, "verify").out.startswith("2 homes are where they were moved; 2 of them compared")
    assert json.loads(rehash(users, "verify", "--json", "--user", "ann").out)["homes"] == 1
    assert rehash(users, "undo", "--dry-run").out == "to first-two: 2 moved in 1 batches\n"
    assert json.loads(rehash(users, "undo", "--json").out)["moved"] == 2
    assert home_of(users, "ann") == before


def test_before_anything_was_moved_there_is_nothing_to_tell(users: MadeSite) -> None:
    assert rehash(users, "status") == Ran(0, "nothing was rehashed\n", "")
    assert json.loads(rehash(users, "status", "--json").out) is None
    for action in ("verify", "undo"):
        assert rehash(users, action) == Ran(1, "", "spool-rehash: nothing was rehashed\n")


def test_a_busy_mailbox_is_told(users: MadeSite) -> None:
    record = AssignDirectory(Site(users.directory).assign_compiled).user(UserName("ann"))
    settings = SpoolSettings(record.home.parents[1])
    location = locate_mailbox(UserName("ann"), uid=record.uid, gid=record.gid, home=record.home, settings=settings)
    with acting_as(record.uid, record.gid, groups=(), uid_min=0):
        lock = SessionLock(location)
    ran = rehash(users, "run", "--to", "first-two", "--user", "ann")
    lock.release()
    assert (ran.status, ran.err) == (5, "spool-rehash: ann: busy\n")


def test_who_cannot_go_back_yet_is_told(users: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    # Only with a second file system would it come to this.
    monkeypatch.setattr(spool_rehash, "undo", lambda *_, **__: Report(waiting=[UserName("ann")]))
    ran = rehash(users, "undo")
    assert (ran.status, ran.err) == (5, "spool-rehash: ann: stays until the old home was kept for its time\n")


def test_what_is_wrong_needs_a_person(users: MadeSite) -> None:
    rehash(users, "run", "--to", "first-two")
    home_of(users, "ann").rename(home_of(users, "ann").with_name("aside"))
    ran = rehash(users, "verify")
    assert ran.status == 4
    assert ran.err.startswith("spool-rehash: ann: ")
