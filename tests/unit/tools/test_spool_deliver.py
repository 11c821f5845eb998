"""Tests of tools.spool_deliver: what a mail transport sees of it."""

from __future__ import annotations

import grp
import io
import os
import sys
from pathlib import Path

import pytest

from serving.privileges import Identity
from spool.assign import AssignLine, Assignment, AssignRecord, Wildcard, publish_assign
from tools import lone_delivery_parts, spool_deliver

MESSAGE = b"Subject: hello\n\nhow are you\n"


class Stdin:
    """A standard input with octets."""

    def __init__(self, octets: bytes) -> None:
        self.buffer = io.BytesIO(octets)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site whose one user, fred, has our own uid; root's tests never change uid, so fred may be uid 0 here."""
    (tmp_path / "control").mkdir()
    (tmp_path / "control" / "locals").write_text("example.org\n")
    (tmp_path / "mailspool.toml").write_text(f'[spool]\nroot = "{tmp_path}/spool"\n')
    home = tmp_path / "spool" / "f" / "fred"
    for part in ("tmp", "new", "cur"):
        (home / "Maildir" / part).mkdir(parents=True)
    publish(tmp_path, Assignment("fred", record(home)), Wildcard("fred-", record(home)))
    monkeypatch.setenv("MAILSPOOL_SITE", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", Stdin(MESSAGE))
    return tmp_path


def record(home: Path, user: str = "fred", uid: int | None = None, dash: str = "") -> AssignRecord:
    return AssignRecord(user, os.geteuid() if uid is None else uid, os.getegid(), home, dash=dash)


def publish(site: Path, *lines: AssignLine) -> None:
    publish_assign(lines, site / "control" / "assign.cdb")


def delivered(site: Path) -> list[bytes]:
    return [path.read_bytes() for path in (site / "spool/f/fred/Maildir/new").iterdir()]


def stored(sender: str, recipient: str) -> bytes:
    return f"Return-Path: <{sender}>\nDelivered-To: {recipient}\n".encode() + MESSAGE


@pytest.mark.parametrize("user", ["fred", "FRED", "fred-list", "fred@example.org", "fred@EXAMPLE.org"])
def test_a_message_goes_into_the_maildrop(site: Path, user: str) -> None:
    assert spool_deliver.main(["--sender", "a@example.net", user]) == 0
    assert delivered(site) == [stored("a@example.net", user if "@" in user else f"{user}@example.org")]


def test_the_line_with_which_an_mbox_begins_is_no_part_of_the_message(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(b"From a@example.net  Tue Nov 24 14:07:27 2026\n" + MESSAGE))
    assert spool_deliver.main(["fred"]) == 0
    assert delivered(site) == [stored("", "fred@example.org")]


@pytest.mark.parametrize(("dialect", "status"), [("qmail", 100), ("sysexits", 67)])
@pytest.mark.parametrize("user", ["nobody-here", "fred@elsewhere.example", "fred@not a domain"])
def test_an_unknown_address_is_refused_for_good(
    site: Path, user: str, dialect: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert spool_deliver.main(["--exit-codes", dialect, user]) == status
    assert capsys.readouterr().err.startswith("5.1.")


@pytest.mark.parametrize(("dialect", "status"), [("qmail", 111), ("sysexits", 75)])
@pytest.mark.parametrize("trouble", ["no-home", "torn-directory", "no-settings", "other-uid", "malformed-owner"])
def test_trouble_of_ours_is_temporary_and_says_nothing_private(
    site: Path, trouble: str, dialect: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    home = site / "spool/f/fred"
    match trouble:
        case "no-home":
            home.rename(site / "away")
        case "torn-directory":
            (site / "control" / "assign.cdb").write_bytes(b"torn")
        case "no-settings":
            (site / "mailspool.toml").unlink()
        case "other-uid":
            publish(site, Assignment("fred", record(home, uid=0)))
        case _:
            publish(site, Assignment("fred", record(home, user="not a user")))
    if trouble == "other-uid" and not os.geteuid():
        pytest.skip("as root this would change the uid of the test itself; tests/root has it")
    assert spool_deliver.main(["--exit-codes", dialect, "fred"]) == status
    said = capsys.readouterr().err
    assert said.startswith("4.")
    assert str(site) not in said
    assert trouble == "no-home" or delivered(site) == []


@pytest.mark.parametrize(("dialect", "status"), [("qmail", 111), ("sysexits", 75)])
@pytest.mark.parametrize("arguments", [[], ["--no-such-option", "fred"], ["fred", "jane"]])
def test_a_usage_error_is_temporary(
    dialect: str, status: int, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        spool_deliver.main([f"--exit-codes={dialect}", *arguments])
    assert ended.value.code == status
    assert capsys.readouterr().err.startswith("4.3.5 usage: ")


@pytest.mark.parametrize(("dialect", "status"), [("qmail", 111), ("sysexits", 75)])
def test_a_bug_is_temporary(
    site: Path, dialect: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(lone_delivery_parts, "lone_delivery", broken)
    assert spool_deliver.main(["--exit-codes", dialect, "fred"]) == status
    assert capsys.readouterr().err == "4.3.0 mail system error\n"


@pytest.mark.parametrize(("dialect", "status"), [("qmail", 111), ("sysexits", 75)])
def test_a_broken_installation_is_temporary(
    dialect: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tools.lone_delivery_parts", None)
    assert spool_deliver.main(["--exit-codes", dialect, "fred"]) == status
    assert capsys.readouterr().err == "4.3.0 mail system error\n"


def test_an_interruption_is_temporary(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lone_delivery_parts, "lone_delivery", interrupted)
    assert spool_deliver.main(["fred"]) == 111


@pytest.mark.parametrize(
    "arguments",
    [["sysexits"], ["--sender", "sysexits", "nobody-here"], ["--", "--exit-codes=sysexits"], ["sysexits@example.org"]],
)
def test_only_the_option_chooses_the_exit_codes(site: Path, arguments: list[str]) -> None:
    assert spool_deliver.main(arguments) == 100


@pytest.mark.parametrize(
    "arguments", [["--exit-codes"], ["--exit-codes", "bsd", "fred"], ["--exit", "sysexits", "fred"]]
)
def test_wrong_exit_codes_are_a_usage_error_in_the_default_ones(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        spool_deliver.main(arguments)
    assert ended.value.code == 111


def test_nobody_below_uid_min_is_become(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(lone_delivery_parts, "become", forbidden)
    publish(site, Assignment("fred", record(site / "spool/f/fred", uid=99)))
    assert spool_deliver.main(["fred"]) == 111


def test_root_becomes_the_recipient_with_the_group_of_dot_locks(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[Identity] = []
    monkeypatch.setattr(lone_delivery_parts, "become", became.append)
    (site / "mailspool.toml").write_text(
        f'[spool]\nroot = "{site}/spool"\ndotlock_group = "{grp.getgrgid(0).gr_name}"\n'
    )
    publish(site, Assignment("fred", record(site / "spool/f/fred", uid=54321)))
    spool_deliver.main(["fred"])
    assert became == [Identity(54321, os.getegid(), (0,))]


def test_no_program_is_run_with_the_group_of_dot_locks(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As root's process is once it has become fred, who could read /var/mail by it.
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(lone_delivery_parts, "has_own_uid", lambda *_: True)
    (site / "mailspool.toml").write_text(
        f'[spool]\nroot = "{site}/spool"\ndotlock_group = "{grp.getgrgid(0).gr_name}"\n'
    )
    home = site / "spool/f/fred"
    publish(site, Assignment("fred", record(home, uid=home.stat().st_uid)))
    monkeypatch.setattr(lone_delivery_parts, "become", lambda _: None)
    (home / ".qmail").write_text("./Maildir/\n|touch ran\n")
    (home / ".qmail").chmod(0o600)
    assert spool_deliver.main(["--", "fred"]) == 111
    assert (delivered(site), (home / "ran").exists()) == ([], False)


def test_a_missing_group_of_dot_locks_is_temporary(site: Path) -> None:
    (site / "mailspool.toml").write_text(f'[spool]\nroot = "{site}/spool"\ndotlock_group = "no-such-group"\n')
    publish(site, Assignment("fred", record(site / "spool/f/fred", uid=54321)))
    assert spool_deliver.main(["fred"]) == 111


@pytest.mark.parametrize(
    ("full", "dialect", "status", "code"),
    [
        ("temporary", "qmail", 111, "4.2.2"),
        ("temporary", "sysexits", 75, "4.2.2"),
        ("permanent", "qmail", 100, "5.2.2"),
        ("permanent", "sysexits", 69, "5.2.2"),
    ],
)
def test_a_full_mailbox_refuses_as_the_site_says(
    site: Path, full: str, dialect: str, status: int, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with (site / "mailspool.toml").open("a") as file:
        file.write(f'quota = "10"\nquota_full = "{full}"\n')
    assert spool_deliver.main(["--exit-codes", dialect, "fred"]) == status
    assert capsys.readouterr().err == f"{code} mailbox full\n"
    assert delivered(site) == []


def test_a_user_s_own_limit_comes_before_the_site_s(site: Path) -> None:
    with (site / "mailspool.toml").open("a") as file:
        file.write('quota = "10"\n')
    (site / "control" / "quotas").write_text("fred:1M\n")
    assert spool_deliver.main(["fred"]) == 0
    assert delivered(site) == [stored("", "fred@example.org")]
    assert (site / "spool/f/fred/Maildir/maildirsize").read_text().startswith("1048576S\n")


def test_a_wrong_limit_is_the_operator_s_and_temporary(site: Path) -> None:
    (site / "control" / "quotas").write_text("fred:much\n")
    assert spool_deliver.main(["fred"]) == 111
