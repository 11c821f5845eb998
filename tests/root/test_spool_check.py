"""spool-check on a site of many uids: what root made by mistake goes to its user, and nothing else does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spool.checking.repairing import Outcome
from spool.checking.undoing import Undone
from spool.mailbox import MailboxKind
from tests.root.uids import FIRST_UID
from tests.unit.spool.checking.made_site import MadeSite

JOE = FIRST_UID + 50


@pytest.fixture
def made(tmp_path: Path) -> MadeSite:
    """A site with another user, joe, who has a uid of his own and an mbox in his home."""
    made = MadeSite(tmp_path).make()
    made.add("joe", uid=JOE, gid=JOE, kind=MailboxKind.MBOX)
    assert made.kinds() == []
    return made


def owner(path: Path) -> int:
    return path.lstat().st_uid


@pytest.mark.parametrize("name", ["", "Mailbox", ".mailspool", ".mailspool/lock"])
def test_what_root_made_goes_to_its_user_and_back(made: MadeSite, name: str) -> None:
    maildrop = made.mailbox("joe").open_maildrop()
    maildrop.close()
    path = made.state_file("joe", ".lock") if name.endswith("/lock") else made.home("joe") / name
    for each in made.home("joe").rglob("*"):
        os.chown(each, JOE, JOE)
    os.chown(path, 0, 0)
    (told,), summary = made.check(repair=True)
    assert (told.finding.kind.name, told.outcome) == ("owned-by-root", Outcome.MENDED)
    assert owner(path) == JOE
    assert made.kinds() == []
    assert made.outcomes(summary.undo_record) == {Undone.UNDONE}
    assert owner(path) == 0


def test_locks_that_a_repair_makes_are_the_user_s(made: MadeSite) -> None:
    made.state_file("joe", ".lock").unlink(missing_ok=True)
    (made.home("joe") / "Mailbox").chmod(0o400)
    assert [told.outcome for told in made.check(repair=True)[0]] == [Outcome.MENDED]
    assert owner(made.state_file("joe", ".lock")) == JOE
    assert made.kinds() == []


def test_a_file_of_root_s_that_a_user_linked_into_his_home_stays_root_s(made: MadeSite) -> None:
    secret = made.directory / "secret"
    secret.write_bytes(b"root's")
    secret.chmod(0o600)
    (made.home("joe") / "Mailbox").unlink()
    (made.home("joe") / "Mailbox").hardlink_to(secret)
    told, summary = made.check(repair=True)
    assert [(each.finding.kind.name, each.outcome) for each in told] == [("owned-by-root", Outcome.FOUND)]
    assert (owner(secret), summary.needs_person) == (0, True)


def test_links_that_a_user_planted_lead_nowhere(made: MadeSite) -> None:
    target = made.directory / "target"
    for part in ("", "tmp", "new"):
        (target / part).mkdir()
    target.chmod(0o700)
    home = made.home("joe")
    (home / "Mailbox").unlink()
    (home / "Maildir").symlink_to(target)
    (home / ".mailspool").rename(home / "moved")
    (home / ".mailspool").symlink_to(target)
    before = {path: path.lstat().st_mode for path in target.rglob("*")}
    told, _ = made.check(repair=True)
    assert {each.finding.kind.name for each in told} == {"mailbox-strange", "state-strange"}
    assert {path: path.lstat().st_mode for path in target.rglob("*")} == before


def test_a_home_outside_of_the_root_is_not_given_away(made: MadeSite) -> None:
    home = made.add("eve", uid=JOE + 1, gid=JOE + 1, home=made.directory / "eve")
    os.chown(home, 0, 0)
    told, summary = made.check(repair=True)
    assert told[0].finding.kind.name == "owned-by-root"
    assert (owner(home), summary.needs_person) == (0, True)


def test_what_is_another_users_is_left_to_a_person(made: MadeSite) -> None:
    os.chown(made.home("joe") / "Mailbox", JOE + 1, JOE + 1)
    told, _ = made.check(repair=True)
    assert [(each.finding.kind.name, each.outcome) for each in told] == [("owned-by-other", Outcome.FOUND)]
