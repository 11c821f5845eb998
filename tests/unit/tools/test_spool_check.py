"""Tests of ``tools.spool_check``."""

from __future__ import annotations

import json
import pwd
from pathlib import Path
from typing import Any

import pytest

from spool.assign_directory import AssignDirectory
from spool.errors import MailboxBusyError
from spool.maintenance import maintenance
from spool.names import UserName
from spool.site import Site
from tests.unit.tools.conftest import MadeSite, Ran


@pytest.fixture
def checked(site: MadeSite) -> MadeSite:
    """A site with the users ann and bob."""
    site.add("ann", "--domain", "example.org")
    site.add("bob", "--domain", "example.net")
    return site


def check(site: MadeSite, *options: str | Path) -> Ran:
    return site.runner("spool-check", "--site", site.directory, *options)


def home_of(site: MadeSite, name: str) -> Path:
    return AssignDirectory(Site(site.directory).assign_compiled).user(UserName(name)).home


def broken(site: MadeSite, name: str = "ann") -> Path:
    cur = home_of(site, name) / "Maildir" / "cur"
    cur.rmdir()
    return cur


def parsed(ran: Ran) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(ran.out)
    return parsed


def test_a_healthy_site_is_clean(checked: MadeSite) -> None:
    assert check(checked) == Ran(0, "2 users; findings: 0 note, 0 mendable, 0 needs a person\n", "")


def test_a_finding_is_explained(checked: MadeSite) -> None:
    cur = broken(checked)
    assert check(checked) == Ran(
        3,
        f"part-missing: {cur} (user ann)\n"
        "  a Maildir lacks tmp, new or cur: nothing is delivered\n"
        "  mendable: --repair makes it\n"
        "2 users; findings: 0 note, 1 mendable, 0 needs a person\n",
        "",
    )


def test_a_dry_run_says_what_would_be_mended_and_changes_nothing(checked: MadeSite) -> None:
    cur = broken(checked)
    ran = check(checked, "--repair", "--dry-run")
    assert (ran.status, ran.out.splitlines()[2]) == (3, "  would be mended: repair makes it")
    assert not cur.exists()


def test_a_repair_tells_how_to_go_back(checked: MadeSite) -> None:
    cur = broken(checked)
    ran = check(checked, "--repair")
    *_, mended, _, outcomes, back = ran.out.splitlines()
    assert (ran.status, mended, outcomes) == (3, "  mended", "1 mended, 0 gone, 0 busy, 0 failed")
    assert check(checked).status == 0
    record = back.removeprefix("to go back: spool-check --undo ")
    for options in (["--dry-run"], []):
        assert check(checked, "--undo", record, *options) == Ran(0, f"{cur}: undone\n", "")
    assert not cur.exists()
    undone = parsed(check(checked, "--undo", record, "--json"))
    assert undone["changes"] == [{"path": str(cur), "outcome": "as it was", "detail": ""}]
    assert undone["outcomes"]["as it was"] == 1


def test_json_has_all_that_is_printed(checked: MadeSite) -> None:
    cur = broken(checked)
    broken(checked, "bob")
    found = parsed(check(checked, "--json"))
    assert found["findings"][0] == {
        "kind": "part-missing",
        "severity": "mendable",
        "path": str(cur),
        "user": "ann",
        "detail": "",
        "meaning": "a Maildir lacks tmp, new or cur: nothing is delivered",
        "repair": "makes it",
        "outcome": "found",
        "reason": "",
    }
    assert (found["users"], found["severities"]["mendable"], found["undo_record"]) == (2, 2, None)
    assert parsed(check(checked, "--repair", "--json"))["undo_record"].endswith(".undo")
    assert parsed(check(checked, "--json"))["findings"] == []


def test_users_and_domains_may_be_asked_for(checked: MadeSite) -> None:
    broken(checked)
    assert check(checked, "--user", "bob").status == 0
    assert check(checked, "--user", "bob", "--user", "ann").status == 3
    assert check(checked, "--domain", "example.net").status == 0
    assert check(checked, "--domain", "Example.ORG").status == 3
    assert check(checked, "--domain", "example.org", "--user", "bob").out.startswith("0 users")


def test_a_person_is_called(checked: MadeSite) -> None:
    home = home_of(checked, "ann")
    home.rename(home.with_name("elsewhere"))
    ran = check(checked)
    assert (ran.status, ran.out.splitlines()[2]) == (4, "  needs a person")


def test_a_busy_home_is_told(checked: MadeSite) -> None:
    broken(checked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spool.checking.repairing.SessionGuard.hold", _busy)
        ran = check(checked, "--repair")
    assert (ran.status, ran.out.splitlines()[2]) == (5, "  busy: in use")


def _busy(_self: object) -> None:
    raise MailboxBusyError("in use")


def test_undoing_tells_what_was_changed_since_and_who_is_busy(
    checked: MadeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    cur = broken(checked)
    record = parsed(check(checked, "--repair", "--json"))["undo_record"]
    with monkeypatch.context() as patch:
        patch.setattr("spool.checking.undoing.sessions_locked", lambda _: _busy(None))
        assert check(checked, "--undo", record) == Ran(5, f"{cur}: busy: in use\n", "")
    (cur / "1").touch()
    assert check(checked, "--undo", record) == Ran(4, f"{cur}: changed since\n", "")


def test_getpw_is_asked_only_when_told_to(checked: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    nobody = pwd.getpwuid(0)

    def account(name: str) -> pwd.struct_passwd:
        asked.append(name)
        if name == "bob":
            raise KeyError(name)
        return nobody

    monkeypatch.setattr(pwd, "getpwnam", account)
    uid = home_of(checked, "ann").stat().st_uid
    assert check(checked).status == 0
    assert [name for name in asked if name in {"ann", "bob"}] == []
    ran = check(checked, "--getpw")
    assert (ran.status, ran.out.splitlines()[0]) == (
        0,
        f"account-differs: {home_of(checked, 'ann')} (user ann): uid 0, not {uid}",
    )


def test_keys_of_certificates_are_secrets(checked: MadeSite) -> None:
    (checked.directory / "tls" / "key.pem").chmod(0o644)
    assert check(checked).out.startswith(f"secret-exposed: {checked.directory}/tls/key.pem: mode 0644 has 0004\n")


@pytest.mark.parametrize("options", [["--user", "joe"], ["--undo", "/nowhere"], ["--user", "!"], ["--domain", "!"]])
def test_what_cannot_be_run_is_one_line(checked: MadeSite, options: list[str]) -> None:
    ran = check(checked, *options)
    assert (ran.status, ran.out, ran.err.count("\n")) == (1, "", 1)


def test_one_repair_runs_at_a_time(checked: MadeSite) -> None:
    with maintenance(Site(checked.directory)):
        assert "another maintenance program" in check(checked, "--repair").err


def test_repair_and_undo_exclude_each_other(checked: MadeSite) -> None:
    assert check(checked, "--repair", "--undo", "x").status == 2
