"""Tests of ``spool.checking.session_locks``, and of what a session that is open means for a repair."""

from __future__ import annotations

from pathlib import Path

import pytest

from spool.checking.places import Place
from spool.checking.session_locks import sessions_locked
from spool.checking.undoing import Undone
from spool.errors import MailboxBusyError
from tests.unit.spool.checking.breakages import BREAKAGES
from tests.unit.spool.checking.made_site import GID, UID, MadeSite


def state_of(made: MadeSite) -> Place:
    home = made.home("ann")
    return Place(home.parent, (home.name, ".mailspool"))


def test_no_session_begins_while_the_locks_are_held(made: MadeSite) -> None:
    with sessions_locked(state_of(made)), pytest.raises(MailboxBusyError):
        made.mailbox("ann").open_maildrop()
    made.mailbox("ann").open_maildrop().close()


def test_a_lock_that_is_missing_is_made_for_its_owner(made: MadeSite) -> None:
    lock = made.state_file("ann", ".lock")
    lock.unlink()
    for _ in range(2):
        with sessions_locked(state_of(made), (lock.name,), (UID, GID)), pytest.raises(MailboxBusyError):
            made.mailbox("ann").open_maildrop()
    assert (lock.stat().st_uid, lock.stat().st_mode & 0o777) == (UID, 0o600)


@pytest.mark.parametrize("kind", ["missing", "link", "file"])
def test_without_a_directory_there_are_no_sessions(tmp_path: Path, kind: str) -> None:
    if kind == "link":
        (tmp_path / "state").symlink_to(tmp_path)
    elif kind == "file":
        (tmp_path / "state").touch()
    with sessions_locked(Place(tmp_path, ("state",)), ("x.lock",)):
        pass
    assert not (tmp_path / "x.lock").exists()


def test_a_home_in_use_is_put_off(made: MadeSite) -> None:
    BREAKAGES["an old file in tmp"].make(made)
    made.changed_settings["mbox_lock_seconds"] = 0.1
    maildrop = made.mailbox("ann").open_maildrop()  # which sweeps tmp itself
    BREAKAGES["an old file in tmp"].make(made)
    (told,), summary = made.check(repair=True)
    assert (told.outcome.value, summary.undo_record, summary.needs_person) == ("busy", None, False)
    maildrop.close()
    (told,), summary = made.check(repair=True)
    assert told.outcome.value == "mended"
    maildrop = made.mailbox("ann").open_maildrop()
    assert made.outcomes(summary.undo_record) == {Undone.BUSY}
    maildrop.close()
    assert made.outcomes(summary.undo_record) == {Undone.UNDONE}


def test_what_is_not_in_the_home_is_mended_while_it_is_in_use(made: MadeSite) -> None:
    (made.directory / "links" / "ann").unlink()
    maildrop = made.mailbox("ann").open_maildrop()
    (told,), _ = made.check(repair=True)
    maildrop.close()
    assert told.outcome.value == "mended"
