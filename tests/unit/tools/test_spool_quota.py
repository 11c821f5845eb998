from __future__ import annotations

import json
from pathlib import Path

import pytest

from spool.mailbox import Envelope, MailboxKind
from spool.mailboxes import open_mailbox
from tests.made_site import MadeSite
from tools import spool_quota

MESSAGE = b"Subject: x\n\ny\n"


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeSite:
    made = MadeSite(tmp_path, {"ann": MailboxKind.MAILDIR, "bob": MailboxKind.MBOX})
    open_mailbox(made.location("ann"), made.settings).deliver([MESSAGE], Envelope(None))
    monkeypatch.setenv("MAILSPOOL_SITE", str(tmp_path))
    return made


def test_usage_limit_and_share_are_shown(made: MadeSite, capsys: pytest.CaptureFixture[str]) -> None:
    made.set('quota = "28,10"')
    assert spool_quota.main(["show", "ann"]) == 0
    heading, ann = capsys.readouterr().out.splitlines()
    assert heading.split() == "user octets messages octets max messages max share".split()
    assert ann.split() == ["ann", "14", "1", "28", "10", "50%"]


def test_what_is_not_known_or_not_limited_is_a_dash(made: MadeSite, capsys: pytest.CaptureFixture[str]) -> None:
    assert spool_quota.main(["show", "--all"]) == 0
    assert capsys.readouterr().out.splitlines()[2].split() == ["bob", "0", "-", "-", "-", "-"]


def test_the_report_is_also_json(made: MadeSite, capsys: pytest.CaptureFixture[str]) -> None:
    made.join("ann", "example.net")
    assert spool_quota.main(["show", "--domain", "Example.NET", "--json"]) == 0
    (ann, bob) = json.loads(capsys.readouterr().out)["users"]
    assert ann == {
        "user": "ann",
        "octets": 14,
        "messages": 1,
        "octets_max": None,
        "messages_max": None,
        "share": None,
        "busy": False,
        "trouble": None,
    }
    assert bob["user"] == "bob"


def test_the_figure_is_counted_again_when_asked_for(made: MadeSite) -> None:
    made.set('quota = "100"')
    figure = made.location("ann").path / "maildirsize"
    figure.write_text("100S\n70 9\n")
    assert spool_quota.main(["show", "--recalculate", "--all"]) == 0
    assert figure.read_text() == "100S\n14 1\n"


def test_a_limit_is_set_and_unset(made: MadeSite) -> None:
    assert spool_quota.main(["set", "ann", "1G,5"]) == 0
    assert made.site.quotas.read_text() == "ann:1G,5\n"
    assert spool_quota.main(["set", "ann", "2G", "--dry-run"]) == 0
    assert spool_quota.main(["unset", "ann", "--dry-run"]) == 0
    assert made.site.quotas.read_text() == "ann:1G,5\n"
    assert spool_quota.main(["unset", "ann"]) == 0
    assert made.site.quotas.read_text() == ""


def test_a_change_is_also_told_as_json(made: MadeSite, capsys: pytest.CaptureFixture[str]) -> None:
    assert spool_quota.main(["set", "ann", "1G", "--json", "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out) == {"user": "ann", "limit": "1G", "changed": False}
    assert spool_quota.main(["unset", "ann", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"user": "ann", "limit": None, "changed": True}


@pytest.mark.parametrize("arguments", [["set", "nobody", "1G"], ["set", "ann", "much"], ["show", "nobody"]])
def test_what_cannot_be_done_is_one_line_on_stderr(
    made: MadeSite, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert spool_quota.main(arguments) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_former_user_s_limit_can_be_unset(made: MadeSite) -> None:
    made.site.quotas.write_text("gone:1G\n")
    assert spool_quota.main(["unset", "gone"]) == 0
    assert made.site.quotas.read_text() == ""


@pytest.mark.parametrize("arguments", [["show"], ["show", "--all", "ann"], ["show", "--domain", "example.org", "ann"]])
def test_users_are_named_or_all_are_meant(made: MadeSite, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        spool_quota.main(arguments)
    assert exit_.value.code == 2


def test_a_mailbox_in_trouble_needs_a_person_and_a_busy_one_time(
    made: MadeSite, capsys: pytest.CaptureFixture[str]
) -> None:
    made.set('quota = "100,10"')
    made.location("bob").path.with_name("Mailbox.lock").touch()
    assert spool_quota.main(["show", "--all"]) == 5
    made.location("ann").home.rename(made.site.directory / "away")
    assert spool_quota.main(["show", "--all"]) == 4
    assert "spool-quota: ann: " in capsys.readouterr().err
