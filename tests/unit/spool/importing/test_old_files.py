"""Tests of ``spool.importing.old_files``."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from types import SimpleNamespace

import pytest

from spool.assign import AssignRecord
from spool.carrying.journals import UserJournals
from spool.errors import MailboxUnavailableError
from spool.importing.old_files import count_messages, place_beside, place_of_mbox, trusted_owner
from spool.names import UserName
from spool.settings import SpoolSettings

ANN = UserName("ann")
MESSAGE = b"From a@example.org Thu Jan  1 00:00:00 2015\nSubject: x\n\n\n"


def record(uid: int) -> AssignRecord:
    return AssignRecord("ann", uid, os.getgid(), Path("/home/ann"))


@pytest.fixture
def mbox(tmp_path: Path) -> Path:
    path = tmp_path / "ann"
    path.write_bytes(MESSAGE)
    return path


def test_in_a_private_directory_any_owner_is_trusted(mbox: Path) -> None:
    assert trusted_owner(mbox, ANN, record(os.getuid() + 1)) == os.getuid()


def test_where_anybody_can_make_files_it_must_be_the_user_s(mbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mbox.parent.chmod(0o1777)
    assert trusted_owner(mbox, ANN, record(os.getuid())) == os.getuid()
    monkeypatch.setattr(pwd, "getpwnam", lambda _name: SimpleNamespace(pw_uid=os.getuid()))
    assert trusted_owner(mbox, ANN, record(os.getuid() + 1)) == os.getuid()
    monkeypatch.setattr(pwd, "getpwnam", dict[str, object]().__getitem__)
    with pytest.raises(MailboxUnavailableError, match="anybody can make files"):
        trusted_owner(mbox, ANN, record(os.getuid() + 1))


def test_what_is_missing_will_be_the_user_s(mbox: Path) -> None:
    assert trusted_owner(mbox.with_name("bob"), ANN, record(4711)) == 4711


def test_what_is_no_regular_file_is_nobody_s_mail(mbox: Path) -> None:
    mbox.with_name("link").symlink_to(mbox)
    for path in (mbox.with_name("link"), mbox.parent):
        with pytest.raises(MailboxUnavailableError, match="not a regular file"):
            trusted_owner(path, ANN, record(os.getuid()))


def test_an_mbox_is_opened_under_all_locks_and_what_lies_beside_it_under_the_kernel_s(mbox: Path) -> None:
    journals = UserJournals(mbox.parent, ANN)
    settings = SpoolSettings(root=Path("/mail"), mbox_lock_seconds=7, mbox_unquote=False)
    place = place_of_mbox(mbox, ANN, record(1), settings, journals)
    assert (place.locks, place.lock_seconds, place.unquote) == (("fcntl", "dotlock", "flock"), 7, False)
    assert place.journal == journals.removal(mbox)
    assert place_beside(mbox, ANN, record(1), settings, journals).locks == ("fcntl", "flock")


def test_messages_are_counted_without_a_change(mbox: Path) -> None:
    mbox.write_bytes(MESSAGE * 2)
    assert count_messages(mbox, unquote=True).total() == 2
    assert count_messages(mbox.with_name("missing"), unquote=True).total() == 0
    assert list(mbox.parent.iterdir()) == [mbox]


def test_a_planted_link_is_not_counted(mbox: Path) -> None:
    mbox.with_name("link").symlink_to(mbox)
    with pytest.raises(MailboxUnavailableError):
        count_messages(mbox.with_name("link"), unquote=True)
    mbox.with_name("second").hardlink_to(mbox)
    with pytest.raises(MailboxUnavailableError):
        count_messages(mbox, unquote=True)
