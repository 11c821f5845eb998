"""Tests of ``spool.checking.mboxes``."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from spool.checking import mboxes
from tests.unit.spool.checking.denying import deny
from tests.unit.spool.checking.made_site import OLD, MadeSite, age
from tests.unit.spool.checking.views import view_of

FROM = b"From x Thu Jan  1 00:00:00 1970\n\n"


@pytest.fixture
def mbox(made: MadeSite) -> Path:
    return made.home("bob") / "Mailbox"


def test_damage_counts_only_where_nobody_has_written_lately(made: MadeSite, mbox: Path) -> None:
    mbox.write_bytes(b"Dear Bob\n")
    assert made.kinds() == []
    age(mbox)
    assert made.kinds() == ["not-an-mbox"]


def test_a_sound_old_mbox_is_no_finding(made: MadeSite, mbox: Path) -> None:
    for content in (b"", FROM * 3, b"\n\n" + FROM):
        mbox.write_bytes(content)
        age(mbox)
        assert made.kinds(deep=True) == []


@pytest.mark.parametrize(("error", "kinds"), [(errno.EACCES, ["not-looked-at"]), (errno.ENOENT, [])])
def test_an_mbox_that_cannot_be_opened_is_told(
    made: MadeSite, mbox: Path, monkeypatch: pytest.MonkeyPatch, error: int, kinds: list[str]
) -> None:
    age(mbox)
    deny(monkeypatch, "Mailbox", error=error)
    assert made.kinds() == kinds


def test_an_mbox_without_rights_is_told_once(made: MadeSite, mbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mbox.chmod(0o000)
    age(mbox)
    deny(monkeypatch, "Mailbox")
    assert made.kinds() == ["mode-too-narrow"]


def test_a_torn_end_behind_nuls_is_noted(made: MadeSite, mbox: Path) -> None:
    mbox.write_bytes(FROM + b"x\n\n\0\0\0")
    age(mbox)
    (told,), summary = made.check(deep=True)
    assert (told.finding.kind.name, told.finding.detail) == ("mbox-torn", "3 octets behind the last message")
    assert not summary.needs_person


def test_a_nul_in_a_later_block_is_found(made: MadeSite, mbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mboxes, "BLOCK_OCTETS", 16)
    mbox.write_bytes(FROM + b"x" * 40 + b"\0\n\n")
    age(mbox)
    (told,), _ = made.check(deep=True)
    assert told.finding.detail == f"at offset {len(FROM) + 40}"


def test_a_lock_that_is_held_is_no_finding(made: MadeSite, mbox: Path) -> None:
    mbox.with_name("Mailbox.lock").write_bytes(b"1\n")
    assert made.kinds() == []


def test_somebody_s_mail_and_directories_are_no_locks(made: MadeSite, mbox: Path) -> None:
    mbox.with_name("Mailbox.lock").write_bytes(b"x" * 1025)
    age(mbox.with_name("Mailbox.lock"))
    (made.home("bob") / ".x.0123456789abcdef.new").mkdir()
    age(made.home("bob") / ".x.0123456789abcdef.new")
    assert made.kinds() == []


def test_a_leftover_that_goes_meanwhile_is_no_finding(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "spool.checking.view.names_in", lambda _: [".lk0123456789abcdef", "Maildir", "Mailbox", ".mailspool"]
    )
    assert made.kinds() == []


def test_a_directory_of_mboxes_that_cannot_be_opened_is_told_elsewhere(made: MadeSite) -> None:
    assert list(mboxes.check_mbox_directory(made.directory / "nowhere", view_of(made))) == []


def test_what_goes_from_a_directory_of_mboxes_meanwhile_is_no_finding(
    made: MadeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mboxes, "names_in", lambda _: [".lk0123456789abcdef"])
    assert list(mboxes.check_mbox_directory(made.directory, view_of(made))) == []


def test_looking_does_not_change_when_an_mbox_was_read(made: MadeSite, mbox: Path) -> None:
    age(mbox)
    made.check(deep=True)
    assert mbox.stat().st_atime == OLD
