"""Tests of tools.spool_convert."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spool.mailbox import MailboxKind
from spool.session_lock import SessionLock
from tests.made_site import MadeSite
from tools import spool_convert


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeSite:
    made = MadeSite(tmp_path, {"ann": MailboxKind.MAILDIR, "bob": MailboxKind.MBOX})
    (made.location("ann").path / "new" / "1.a").write_bytes(b"Status: R\nSubject: x\n\n")
    monkeypatch.setenv("MAILSPOOL_SITE", str(tmp_path))
    return made


def test_what_is_converted_is_told(made: MadeSite, capsys: pytest.CaptureFixture[str]) -> None:
    assert spool_convert.main(["--all", "--to", "mbox", "--dry-run"]) == 0
    assert spool_convert.main(["--all", "--to", "mbox"]) == 0
    with (made.location("ann").home / "Maildir.before-convert" / "new" / "2.a").open("wb") as late:
        late.write(b"Subject: late\n\n")
    assert spool_convert.main(["ann", "--discard", "--grace-seconds", "0", "--dry-run"]) == 0
    assert spool_convert.main(["ann", "--discard", "--grace-seconds", "0"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ann: would become mbox",
        "1 done, 1 nothing to do, 0 busy, 0 trouble",
        "ann: mbox, 1 messages converted, 1 of them with other octets",
        "1 done, 1 nothing to do, 0 busy, 0 trouble",
        "ann: would discard 1",
        "1 done, 0 nothing to do, 0 busy, 0 trouble",
        "ann: mbox, 0 messages converted, 1 taken over late, 1 former mailboxes discarded",
        "1 done, 0 nothing to do, 0 busy, 0 trouble",
    ]


def test_the_report_is_also_json(made: MadeSite, capsys: pytest.CaptureFixture[str]) -> None:
    assert spool_convert.main(["bob", "--to", "maildir", "--json"]) == 0
    [bob] = json.loads(capsys.readouterr().out)["users"]
    assert (bob["user"], bob["outcome"], bob["kind"], bob["messages"]) == ("bob", "done", "maildir", 0)


def test_a_mailbox_that_is_read_is_for_the_next_run(made: MadeSite, capsys: pytest.CaptureFixture[str]) -> None:
    lock = SessionLock(made.location("ann"))
    assert spool_convert.main(["ann", "--to", "mbox"]) == 5
    assert "ann: busy:" in capsys.readouterr().err
    lock.release()
    assert spool_convert.main(["ann", "--to", "mbox"]) == 0
    assert spool_convert.main(["ann", "--undo"]) == 0
    assert made.location("ann").kind is MailboxKind.MAILDIR


def test_a_file_that_is_no_mbox_is_named(made: MadeSite, capsys: pytest.CaptureFixture[str]) -> None:
    mbox = made.location("bob").path
    mbox.write_bytes(b"Dear Bob\n")
    assert spool_convert.main(["bob", "--to", "maildir"]) == 4
    assert f"bob: trouble: {mbox}: not an mbox" in capsys.readouterr().err


def test_a_person_is_needed_for_trouble(made: MadeSite) -> None:
    (made.location("ann").home / "Mailbox").touch()
    assert spool_convert.main(["ann", "--to", "mbox"]) == 4


@pytest.mark.parametrize(
    "options",
    [["--to", "mbox"], ["ann", "--all", "--undo"], ["ann", "--domain", "example.org", "--undo"], ["ann", "--to", "mh"]],
)
def test_a_wrong_command_line_is_a_usage_error(made: MadeSite, options: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        spool_convert.main(options)
    assert ended.value.code == 2


def test_a_user_who_is_none_is_an_error(made: MadeSite) -> None:
    assert spool_convert.main(["zed", "--undo"]) == 1
    assert spool_convert.main(["--domain", "example.org", "--undo"]) == 0
