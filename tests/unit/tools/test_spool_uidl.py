"""Tests of tools.spool_uidl."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spool.mailbox import MailboxKind
from spool.session_lock import SessionLock
from tests.made_site import MadeSite
from tools import spool_uidl


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeSite:
    made = MadeSite(tmp_path, {"ann": MailboxKind.MAILDIR})
    for number in (1, 2):
        (made.location("ann").path / "new" / f"{number}.a").write_bytes(b"Subject: x\n\n")
    monkeypatch.setenv("MAILSPOOL_SITE", str(tmp_path))
    return made


@pytest.fixture
def uidlist(made: MadeSite) -> Path:
    path = made.location("ann").path / "dovecot-uidlist"
    path.write_text("3 V5 N3\n1 :1.a\n2 :2.a\n")
    return path


def test_number_size_and_id_are_listed(made: MadeSite, capsys: pytest.CaptureFixture[str]) -> None:
    assert spool_uidl.main(["list", "ann"]) == 0
    assert capsys.readouterr().out == "1 14 1.a\n2 14 2.a\n"


def test_the_list_is_also_json(made: MadeSite, capsys: pytest.CaptureFixture[str]) -> None:
    assert spool_uidl.main(["list", "ann", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[1] == {"number": 2, "wire_octets": 14, "unique_id": "2.a"}


@pytest.mark.parametrize(("name", "text"), [("bob", "no user bob"), ("../x", "not a user name")])
def test_a_user_who_is_none_is_an_error(
    made: MadeSite, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    assert spool_uidl.main(["list", name]) == 1
    assert text in capsys.readouterr().err


def test_ids_are_imported(made: MadeSite, uidlist: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dovecot = ["import", "--from", "dovecot", "--format", "%v.%u"]
    assert spool_uidl.main([*dovecot, "--dry-run"]) == 3
    assert spool_uidl.main([*dovecot, "--user", "ann"]) == 0
    assert spool_uidl.main(dovecot) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ann: 2 messages: 2 would get their old id, 0 had it, 0 have none, 0 in conflict",
        "ann: 2 messages: 2 got their old id, 0 had it, 0 have none, 0 in conflict",
        "ann: done before",
    ]
    assert spool_uidl.main(["list", "ann"]) == 0
    assert capsys.readouterr().out == "1 14 5.1\n2 14 5.2\n"


def test_only_users_of_a_domain_are_done(made: MadeSite, uidlist: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made.join("ann", "example.org")
    assert spool_uidl.main(["import", "--from", "dovecot", "--domain", "Example.NET"]) == 0
    assert capsys.readouterr().out == ""
    assert spool_uidl.main(["import", "--from", "dovecot", "--domain", "example.org"]) == 0
    assert capsys.readouterr().out.startswith("ann: 2 messages")


def test_the_report_is_also_json(made: MadeSite, uidlist: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert spool_uidl.main(["import", "--from", "dovecot", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["source"], report["dry_run"]) == ("dovecot", False)
    (ann,) = report["users"]
    assert (ann["user"], ann["outcome"], ann["new"]) == ("ann", "done", 2)


def test_conflicts_and_failures_are_said_and_need_a_person(
    made: MadeSite, uidlist: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert spool_uidl.main(["import", "--from", "dovecot", "--format", "%v"]) == 4
    assert capsys.readouterr().err == "ann: message 2: '5' is the id of an earlier message, too\n"
    uidlist.unlink()
    assert spool_uidl.main(["import", "--from", "dovecot", "--again"]) == 4
    assert "spool-uidl: ann: failed:" in capsys.readouterr().err


def test_busy_mailboxes_are_said(made: MadeSite, uidlist: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = SessionLock(made.location("ann"))
    assert spool_uidl.main(["import", "--from", "dovecot"]) == 5
    lock.release()
    assert "spool-uidl: ann: busy:" in capsys.readouterr().err


def test_the_old_server_may_be_asked(made: MadeSite, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    credentials = tmp_path / "credentials"
    credentials.write_text("other:x\n")
    credentials.chmod(0o600)
    assert spool_uidl.main(["import", "--match-live", "localhost", "--credentials", str(credentials)]) == 4
    assert "no password for ann" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        "import",
        "import --from nowhere",
        "import --from dovecot --match-live host --credentials x",
        "import --match-live host",
        "import --match-live host --credentials x --format %u",
        "import --match-live host --credentials x --file x",
        "import --from dovecot --credentials x",
        "import --from dovecot --ca-file x",
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(words: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        spool_uidl.main(words.split())
