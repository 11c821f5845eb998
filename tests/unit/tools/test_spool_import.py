"""Tests of tools.spool_import."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spool.kernel_locks import open_locked
from spool.mailbox import MailboxKind
from tests.made_site import MadeSite
from tools import spool_import, spool_uidl

MESSAGE = b"From a@example.org Thu Jan  1 00:00:00 2015\nX-UIDL: id-1\nSubject: x\n\n\n"


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An old spool with one message of a user of a site."""
    MadeSite(tmp_path, {"ann": MailboxKind.MBOX, "bob": MailboxKind.MAILDIR})
    monkeypatch.setenv("MAILSPOOL_SITE", str(tmp_path))
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "ann").write_bytes(MESSAGE)
    return tmp_path / "old"


def test_what_is_imported_is_told(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert spool_import.main([str(old), "--dry-run"]) == 0
    assert spool_import.main([str(old)]) == 0
    assert spool_import.main([str(old)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ann: 1 messages to import",
        "1 messages of 1 users, 0 busy, 0 in trouble",
        "ann: 1 messages imported",
        "1 messages of 1 users, 0 busy, 0 in trouble",
        "0 messages of 1 users, 0 busy, 0 in trouble",
    ]


def test_the_report_is_also_json(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("zed", "Zed"):
        (old / name).touch()
    assert spool_import.main([str(old), "--json"]) == 4
    assert json.loads(capsys.readouterr().out) == {
        "users": [{"user": "ann", "mbox": str(old / "ann"), "outcome": "done", "messages": 1, "detail": None}],
        "without_user": [str(old / "zed")],
        "unknown": [str(old / "Zed")],
    }


def test_a_person_is_needed_for_trouble(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (old / "ann").write_bytes(b"no mbox\n")
    assert spool_import.main([str(old)]) == 4
    assert "ann: trouble:" in capsys.readouterr().err


def test_a_person_is_needed_for_what_is_in_no_mailbox_s_place(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (old / "Ann").touch()
    assert spool_import.main([str(old)]) == 4
    assert f"{old / 'Ann'}: not in a mailbox's place" in capsys.readouterr().err
    assert spool_import.main([str(old), "--exclude", "Ann"]) == 0


def test_mailboxes_without_a_user_are_told_and_no_trouble(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("zed", "zoe"):
        (old / name).write_bytes(MESSAGE)
    assert spool_import.main([str(old)]) == 0
    assert spool_import.main([str(old), "--exclude", "zed", "--exclude", "zoe"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ann: 1 messages imported",
        f"{old / 'zed'}: a mailbox without a user; not touched",
        f"{old / 'zoe'}: a mailbox without a user; not touched",
        "1 messages of 1 users, 0 busy, 0 in trouble",
        "0 messages of 1 users, 0 busy, 0 in trouble",
    ]


def test_a_busy_mbox_is_for_the_next_run(old: Path) -> None:
    (old / ".ann.pop").write_bytes(MESSAGE)
    descriptor = open_locked(old / ".ann.pop")
    assert descriptor is not None
    assert spool_import.main([str(old)]) == 5


def test_ids_users_and_links_are_as_asked(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert spool_import.main([str(old), "--user", "bob"]) == 0
    assert (old / "ann").read_bytes() == MESSAGE
    assert spool_import.main([str(old), "--user", "ann", "--ids", "x-uidl", "--link", "--drops", str(old)]) == 0
    assert (old / "ann").is_symlink()
    capsys.readouterr()
    spool_uidl.main(["list", "ann"])
    assert capsys.readouterr().out == "1 14 id-1\n"


@pytest.mark.parametrize("domain", ["example.org", "example.net"])
def test_a_domain_s_users_are_imported(old: Path, domain: str) -> None:
    (old.parent / "control" / "domains").write_text("ann:example.org\n")
    assert spool_import.main([str(old), "--domain", domain]) == 0
    assert ((old / "ann").read_bytes() == b"") is (domain == "example.org")


@pytest.mark.parametrize("options", [["--keep", "--link"], ["--ids-file", "x"], ["--ids", "other"]])
def test_what_does_not_go_together_is_a_usage_error(old: Path, options: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        spool_import.main([str(old), *options])
    assert ended.value.code == 2


@pytest.mark.parametrize("options", [["--old-layout", "other"], ["--user", "zed"], ["--user", "../x"]])
def test_what_is_not_there_is_an_error(old: Path, options: list[str]) -> None:
    assert spool_import.main([str(old), *options]) == 1
