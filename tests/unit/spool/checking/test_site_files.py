"""Tests of ``spool.checking.site_files``."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path

import pytest

from spool.assign import compile_plain
from spool.checking import roster_lock, site_files
from spool.checking.leftovers import is_leftover
from spool.checking.undoing import Undone
from tests.unit.spool.checking.breakages import RANDOM
from tests.unit.spool.checking.made_site import MadeSite, age
from tests.unit.spool.checking.views import view_of


def test_a_missing_database_is_compiled_and_the_homes_are_checked_then(made: MadeSite) -> None:
    made.site.assign_compiled.unlink()
    told, summary = made.check()
    assert [each.finding.kind.name for each in told] == ["assign-stale", "users-unknown"]
    assert (summary.users, summary.needs_person) == (0, False)
    told, summary = made.check(repair=True)
    assert [each.finding.kind.name for each in told] == ["assign-stale"]
    assert summary.users == 2
    made.undo(summary.undo_record)
    assert not made.site.assign_compiled.exists()
    assert made.outcomes(summary.undo_record) == {Undone.AS_BEFORE}


def test_a_torn_database_is_compiled_anew(made: MadeSite) -> None:
    torn = made.site.assign_compiled.read_bytes()[:-1]
    made.site.assign_compiled.write_bytes(torn)
    told, summary = made.check(repair=True)
    assert [each.outcome.value for each in told] == ["mended"]
    made.undo(summary.undo_record)
    assert made.site.assign_compiled.read_bytes() == torn


@pytest.mark.parametrize("content", [None, b"\xff\n", b"no colon\n", b"Ann!:example.org\n"])
def test_what_is_no_list_of_domains_is_said_by_config_check(made: MadeSite, content: bytes | None) -> None:
    made.site.domains.unlink()
    if content is not None:
        made.site.domains.write_bytes(content)
    assert made.kinds() == []


def test_a_secret_s_link_is_followed_to_the_file_itself(made: MadeSite) -> None:
    key = made.directory / "key.pem"
    key.touch()
    key.chmod(0o644)
    (made.site.directory / "key.pem").symlink_to(key)
    (told,), _ = made.check(secrets=(made.site.directory / "key.pem", made.directory / "missing"), repair=True)
    assert (told.finding.kind.name, told.finding.path) == ("secret-exposed", key)
    assert key.stat().st_mode & 0o777 == 0o640


def test_a_link_has_no_mode_of_its_own(made: MadeSite) -> None:
    made.site.locals.rename(made.directory / "locals")
    made.site.locals.symlink_to(made.directory / "locals")
    assert made.kinds() == []


def test_the_maintenance_directory_is_private(made: MadeSite) -> None:
    made.site.maintenance.mkdir()
    made.site.maintenance.chmod(0o750)
    assert made.kinds(repair=True) == ["site-writable"]
    assert made.kinds() == []


@pytest.mark.parametrize("name", ["quotas", "assign.last", "domains.last"])
def test_limits_and_the_copies_to_go_back_to_are_written_by_nobody_else(made: MadeSite, name: str) -> None:
    (made.site.control / name).touch()
    (made.site.control / name).chmod(0o646)
    assert made.kinds(repair=True) == ["site-writable"]
    assert made.kinds() == []


def test_a_young_leftover_is_being_written(made: MadeSite) -> None:
    (made.site.control / f".assign.{RANDOM}.new").touch()
    assert made.kinds() == []


def test_a_leftover_that_goes_meanwhile_is_no_finding(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    leftover = made.site.control / f".assign.{RANDOM}.new"
    leftover.touch()
    age(leftover)

    def remove_first(name: str) -> bool:
        leftover.unlink(missing_ok=True)
        return is_leftover(name)

    monkeypatch.setattr(site_files, "is_leftover", remove_first)
    assert made.kinds() == []


def test_a_site_without_lists_has_no_leftovers(made: MadeSite) -> None:
    view = view_of(made)
    shutil.rmtree(made.site.control)
    assert list(site_files.check_leftovers(view)) == []


@pytest.mark.parametrize("template", [None, "{user}/home"])
def test_leftovers_of_links_are_looked_for_only_where_all_links_lie_together(
    made: MadeSite, template: str | None
) -> None:
    link = made.directory / "links" / ".ann.0123456789abcdef.new"
    link.symlink_to("x")
    age(link)
    assert "leftover" in made.kinds()
    made.changed_settings["home_link"] = template and str(made.directory / "links" / template)
    assert "leftover" not in made.kinds()


def test_users_are_added_while_a_stale_database_is_waited_for(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text is written before the database; whoever looks in between sees them differ."""
    first = [[b"what the text said a moment ago"]]
    monkeypatch.setattr(site_files, "compile_plain", lambda lines: first.pop() if first else compile_plain(lines))
    assert made.kinds() == []


def test_a_roster_that_stays_locked_is_told_as_busy(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    made.site.assign.write_bytes(made.site.assign.read_bytes().replace(b"+bob-", b"+bob+"))
    monkeypatch.setattr(roster_lock, "_WAIT_SECONDS", 0.0)
    with made.site.assign_lock.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (told,), _ = made.check(repair=True)
    assert (told.finding.kind.name, told.outcome.value) == ("assign-stale", "busy")


def test_paths_of_secrets_are_taken_as_they_are(made: MadeSite, tmp_path: Path) -> None:
    assert made.kinds(secrets=(tmp_path / "missing.pem",)) == []
