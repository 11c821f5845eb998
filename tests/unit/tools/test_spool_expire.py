from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from spool.mailbox import Envelope, MailboxKind
from spool.mailboxes import open_mailbox
from tests.made_site import MadeSite
from tools import spool_expire


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeSite:
    """Users with a message of 20 days, that nobody has fetched, and a new one."""
    made = MadeSite(tmp_path, {"ann": MailboxKind.MAILDIR, "bob": MailboxKind.MAILDIR})
    arrived = time.time() - 20 * 86400
    for name in ("ann", "bob"):
        mailbox = open_mailbox(made.location(name), made.settings)
        place = mailbox.deliver([b"Subject: old\n\n"], Envelope(None)).place
        os.utime(made.location(name).path / "new" / place, (arrived, arrived))
        mailbox.deliver([b"Subject: new\n\n"], Envelope(None))
    monkeypatch.setenv("MAILSPOOL_SITE", str(tmp_path))
    return made


def left(made: MadeSite, name: str) -> int:
    return len(list((made.location(name).path / "new").iterdir()))


def test_mail_of_an_age_is_removed(made: MadeSite, capsys: pytest.CaptureFixture[str]) -> None:
    assert spool_expire.main(["--older-than", "10", "--user", "ann"]) == 0
    assert (left(made, "ann"), left(made, "bob")) == (1, 2)
    assert capsys.readouterr().out.splitlines() == [
        "ann: 1 messages removed, 14 octets",
        "1 messages removed, 14 octets, of 1 users; 0 busy, 0 failed",
    ]


def test_mail_that_nobody_fetched_stays_when_only_fetched_mail_is_to_go(made: MadeSite) -> None:
    assert spool_expire.main(["--fetched-older-than", "10"]) == 0
    assert left(made, "ann") == 2


def test_without_an_age_the_settings_hold(made: MadeSite) -> None:
    assert spool_expire.main([]) == 1
    made.set("expire_days = 10")
    assert spool_expire.main([]) == 0
    assert left(made, "ann") == left(made, "bob") == 1


def test_nothing_is_removed_earlier_than_is_announced(made: MadeSite, capsys: pytest.CaptureFixture[str]) -> None:
    made.set("expire_days = 10")
    assert spool_expire.main(["--older-than", "5"]) == 1
    assert "users are told EXPIRE 10" in capsys.readouterr().err
    assert left(made, "ann") == 2


def test_a_dry_run_removes_nothing_and_the_report_is_also_json(
    made: MadeSite, capsys: pytest.CaptureFixture[str]
) -> None:
    made.join("ann", "example.net")
    made.join("bob", "example.org")
    assert spool_expire.main(["--older-than", "10", "--domain", "example.org", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "dry_run": True,
        "users": [{"user": "bob", "outcome": "done", "messages": 1, "octets": 14, "trouble": None}],
    }
    assert left(made, "bob") == 2


def test_busy_mailboxes_want_another_run_and_failed_ones_a_person(
    made: MadeSite, capsys: pytest.CaptureFixture[str]
) -> None:
    session = open_mailbox(made.location("ann"), made.settings).open_maildrop()
    assert spool_expire.main(["--older-than", "10"]) == 5
    assert "spool-expire: ann: busy: " in capsys.readouterr().err
    made.location("bob").home.rename(made.site.directory / "away")
    assert spool_expire.main(["--older-than", "10"]) == 4
    session.close()


@pytest.mark.parametrize("domain", ["exmaple.org", ""])
def test_a_domain_that_is_not_ours_is_no_way_to_say_all_users(made: MadeSite, domain: str) -> None:
    assert spool_expire.main(["--older-than", "10", "--domain", domain]) == 1
    assert left(made, "ann") == 2
