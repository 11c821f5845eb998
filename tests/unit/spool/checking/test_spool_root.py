"""Tests of ``spool.checking.spool_root``."""

from __future__ import annotations

import errno
import os

import pytest

from spool.checking import spool_root
from spool.checking.places import names_in, status_of
from tests.unit.spool.checking.breakages import RANDOM
from tests.unit.spool.checking.denying import deny
from tests.unit.spool.checking.made_site import MadeSite
from tests.unit.spool.checking.views import begin_rehash


def test_a_root_that_is_a_link_is_gone_through(made: MadeSite) -> None:
    made.root.rename(made.directory / "disk")
    made.root.symlink_to(made.directory / "disk")
    (made.root / "notes").touch()
    assert made.kinds() == ["stray-file"]


def test_links_at_old_places_stay_while_homes_are_moved(made: MadeSite) -> None:
    (made.root / "ann").symlink_to(os.path.relpath(made.home("ann"), made.root))
    assert made.kinds() == ["old-link"]
    begin_rehash(made)
    assert made.kinds() == []


def test_lost_and_found_is_the_file_system_s(made: MadeSite) -> None:
    (made.root / "lost+found").mkdir()
    (made.root / "lost+found" / "1").touch()
    assert made.kinds() == []


@pytest.mark.parametrize(("error", "kinds"), [(errno.EIO, ["not-looked-at"]), (errno.ENOENT, [])])
def test_a_directory_that_cannot_be_opened_is_told(
    made: MadeSite, monkeypatch: pytest.MonkeyPatch, error: int, kinds: list[str]
) -> None:
    (made.root / "x").mkdir()
    deny(monkeypatch, made.root / "x", error=error)
    assert made.kinds() == kinds


def test_a_directory_that_cannot_be_looked_into_is_told(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    (made.root / "x").mkdir()
    looked = status_of

    def look(name: str, directory: int) -> os.stat_result | None:
        if name == "x/.mailspool":
            raise PermissionError(errno.EACCES, "Permission denied")
        return looked(name, directory)

    monkeypatch.setattr(spool_root, "status_of", look)
    assert made.kinds() == ["not-looked-at"]


def test_what_goes_meanwhile_is_no_finding(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = names_in
    monkeypatch.setattr(spool_root, "names_in", lambda descriptor: [*listed(descriptor), "gone"])
    assert made.kinds() == []


def test_mboxes_may_lie_among_the_homes(made: MadeSite) -> None:
    made.changed_settings["maildrop"] = ("{home}/Maildir/", "{home}/Mailbox", f"{made.root}/{{hash}}/{{user}}.mbox")
    (made.root / "x.mbox").touch()
    assert made.kinds() == []


def test_directories_are_gone_through_to_a_limit(made: MadeSite) -> None:
    deep = made.root / "1" / "2" / "3" / "4" / "5"
    deep.mkdir(parents=True)
    (deep / "notes").touch()
    assert made.kinds() == []
    (deep.parent.parent / "notes").touch()
    assert made.kinds() == ["stray-file"]


def test_young_leftovers_are_being_made(made: MadeSite) -> None:
    (made.root / f".ann.{RANDOM}.new").symlink_to("x")
    (made.root / f".lk{RANDOM}").touch()
    assert made.kinds() == []


def test_a_home_that_is_being_given_to_a_new_user_is_no_finding(
    made: MadeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The home is made first, and assigned last."""
    (made.root / "x").mkdir()
    (made.root / "x" / ".mailspool").mkdir()
    (made.root / ".x.purged").mkdir()
    monkeypatch.setattr("spool.checking.census.Census.present_owner_of", lambda *_: "x")
    assert made.kinds() == []


def test_the_root_is_nobody_else_s_to_write_in(made: MadeSite) -> None:
    made.root.chmod(0o757)
    assert made.kinds(repair=True) == ["mode-too-open"]
    assert made.kinds() == []


def test_old_homes_are_kept_while_homes_are_copied(made: MadeSite) -> None:
    (made.root / "x" / ".mailspool").mkdir(parents=True)
    assert made.kinds() == ["home-unassigned"]
    begin_rehash(made)
    assert made.kinds() == []
