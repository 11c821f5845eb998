"""Tests of ``spool.checking.mailboxes``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spool.checking.kinds import Severity
from spool.mailbox import MailboxKind
from tests.unit.spool.checking.made_site import GID, UID, MadeSite, age


def test_mail_in_a_hidden_maildir_is_counted(made: MadeSite) -> None:
    made.changed_settings["maildrop"] = ("{home}/Mailbox", "{home}/Maildir/")
    (made.home("ann") / "Mailbox").touch(0o600)
    made.give_homes()
    age(made.home("ann") / "Mailbox")
    (told,), summary = made.check()
    assert told.finding.kind.name == "second-mailbox"
    assert told.finding.detail == f"{made.home('ann')}/Mailbox is read; here 2 messages"
    assert summary.needs_person


def test_a_hidden_maildir_without_parts_is_empty(made: MadeSite) -> None:
    made.changed_settings["maildrop"] = ("{home}/Mailbox", "{home}/Maildir/")
    (made.home("bob") / "Maildir").mkdir(mode=0o700)
    made.give_homes()
    told, _ = made.check()
    hidden = [each.finding for each in told if each.finding.kind.name == "second-mailbox-empty"]
    assert [finding.detail for finding in hidden] == [f"{made.home('bob')}/Mailbox is read; here 0 messages"]


def test_an_mbox_that_is_last_may_be_missing(made: MadeSite) -> None:
    (made.home("bob") / "Mailbox").unlink()
    assert made.kinds() == []


@pytest.fixture
def spool(made: MadeSite) -> Path:
    """A directory of mboxes outside of the homes."""
    directory = made.directory / "var"
    directory.mkdir()
    made.changed_settings["maildrop"] = ("{home}/Maildir/", "{home}/Mailbox", f"{directory}/{{user}}")
    return directory


def test_an_mbox_outside_of_the_homes_may_be_missing(made: MadeSite, spool: Path) -> None:
    assert made.kinds() == []


def test_a_missing_directory_of_mboxes_needs_a_person(made: MadeSite, spool: Path) -> None:
    made.add("joe", kind=MailboxKind.MBOX)
    made.give_homes()
    (made.home("joe") / "Mailbox").unlink()
    spool.rmdir()
    told, summary = made.check()
    assert [(each.finding.kind.name, each.finding.severity) for each in told] == [("mailbox-missing", Severity.PERSON)]
    assert summary.needs_person


def test_a_missing_maildir_outside_of_the_home_needs_a_person(made: MadeSite, tmp_path: Path) -> None:
    made.changed_settings["maildrop"] = ("{home}/Maildir/", f"{tmp_path}/var/{{user}}/")
    (told,), _ = made.check(repair=True)
    assert (told.finding.kind.name, told.finding.severity) == ("mailbox-missing", Severity.PERSON)


def test_an_mbox_outside_of_the_homes_is_read_by_its_user_alone(made: MadeSite, spool: Path) -> None:
    (made.home("bob") / "Mailbox").unlink()
    mbox = spool / "bob"
    mbox.touch()
    mbox.chmod(0o664)
    if mbox.stat().st_uid != UID:
        os.chown(mbox, UID, GID)
    (told,), _ = made.check(repair=True)
    assert (told.finding.kind.name, told.outcome.value) == ("mode-too-open", "mended")
    assert made.kinds() == []


def test_what_is_left_beside_mboxes_outside_of_the_homes_is_removed(made: MadeSite, spool: Path) -> None:
    for name in (".lk0123456789abcdef", ".bob.lock.0123456789abcdef.new", "bob.lock"):
        (spool / name).touch()
        age(spool / name)
    told, summary = made.check(repair=True)
    assert sorted(each.finding.kind.name for each in told) == ["leftover", "stale-lock", "stale-lock"]
    assert list(spool.iterdir()) == []
    made.undo(summary.undo_record)
    assert len(list(spool.iterdir())) == 3


def test_a_mailbox_deep_in_the_home_is_checked(made: MadeSite) -> None:
    made.changed_settings["maildrop"] = ("{home}/mail/Maildir/", "{home}/Maildir/", "{home}/Mailbox")
    made.add("joe")
    made.give_homes()
    (made.home("joe") / "mail" / "Maildir" / "cur").rmdir()
    (told,), _ = made.check(repair=True)
    assert told.finding.kind.name == "part-missing"
    assert made.kinds() == []
