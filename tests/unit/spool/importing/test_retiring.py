"""Tests of ``spool.importing.retiring``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spool.carrying.mbox_source import MboxPlace, MboxSource
from spool.errors import MailboxUnavailableError
from spool.importing.retiring import ASIDE_SECONDS, leads_to, put_aside, remove_aside, undo_half
from tests.unit.spool.importing.old_mail import old_mbox


@pytest.fixture
def mbox(tmp_path: Path) -> MboxSource:
    (tmp_path / "ann").touch()
    return source(tmp_path / "ann")


def source(path: Path) -> MboxSource:
    return MboxSource(MboxPlace(path, os.getuid(), ("fcntl",), 0.01, 300, True, path.with_name("journal")))


def aside(mbox: MboxSource) -> Path:
    return mbox.place.path.with_name(".ann.mailspool-aside")


def test_a_link_takes_the_place_and_the_file_keeps_another_name(mbox: MboxSource, tmp_path: Path) -> None:
    inode = mbox.place.path.stat().st_ino
    assert put_aside(mbox, link_to=tmp_path / "target")
    assert mbox.place.path.readlink() == tmp_path / "target"
    assert aside(mbox).stat().st_ino == inode


def test_nothing_may_take_the_place(mbox: MboxSource) -> None:
    assert put_aside(mbox, link_to=None)
    assert not mbox.place.path.exists()
    assert aside(mbox).exists()


def test_nothing_is_done_while_there_is_mail_or_a_former_one_aside(mbox: MboxSource) -> None:
    mbox.place.path.write_bytes(old_mbox([1]))
    assert not put_aside(mbox, link_to=None)
    mbox.place.path.write_bytes(b"")
    aside(mbox).touch()
    assert not put_aside(mbox, link_to=None)
    aside(mbox).unlink()
    mbox.place.path.unlink()
    assert not put_aside(mbox, link_to=None)


def test_what_is_aside_goes_when_it_is_empty_and_nobody_can_be_waiting(mbox: MboxSource) -> None:
    put_aside(mbox, link_to=None)
    late = source(aside(mbox))
    assert not remove_aside(late)
    later = aside(mbox).stat().st_ctime + ASIDE_SECONDS + 1
    aside(mbox).write_bytes(old_mbox([1]))
    assert not remove_aside(late, clock=lambda: later + 10)
    aside(mbox).write_bytes(b"")
    assert remove_aside(late, clock=lambda: later + 10)
    assert not aside(mbox).exists()
    assert remove_aside(late)


def test_of_two_names_that_a_crash_left_one_goes(mbox: MboxSource) -> None:
    aside(mbox).hardlink_to(mbox.place.path)
    undo_half(mbox.place.path)
    assert not aside(mbox).exists()
    assert mbox.place.path.exists()
    undo_half(mbox.place.path)
    aside(mbox).touch()
    undo_half(mbox.place.path)
    assert aside(mbox).exists()


def test_only_our_own_link_is_one(mbox: MboxSource, tmp_path: Path) -> None:
    link = tmp_path / "link"
    assert not leads_to(mbox.place.path, tmp_path / "target")
    link.symlink_to(tmp_path / "target")
    assert leads_to(link, tmp_path / "target")
    with pytest.raises(MailboxUnavailableError, match="it is not followed"):
        leads_to(link, tmp_path / "other")
