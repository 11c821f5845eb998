"""Tests of ``spool.rehash.mover`` and ``spool.rehash.copier`` in the states that a crash leaves."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from spool.errors import MailboxBusyError, MailboxUnavailableError
from spool.names import UserName
from spool.rehash import mover as module
from spool.rehash.copier import Copier, Manifests, kept_home
from spool.rehash.directories import HashDirectories
from spool.rehash.mover import Mover
from spool.rehash.moves import Move
from spool.rehash.outside import OutsideMboxes
from tests.rehash_sites import GID, UID, RehashSite

TEXT = "../z/o/zoe"


@contextlib.contextmanager
def rights(_move: Move) -> Iterator[None]:
    yield


def zoe(site: RehashSite) -> Move:
    return Move(UserName("zoe"), UID, GID, site.root / "r" / "zoe", site.root / "z" / "o" / "zoe")


@pytest.fixture
def mover(site: RehashSite) -> Mover:
    directories = HashDirectories(site.root)
    return Mover(site.settings, directories, OutsideMboxes(site.settings, directories), rights)


@pytest.fixture
def copier(site: RehashSite, tmp_path: Path) -> Copier:
    directories = HashDirectories(site.root)
    outside = OutsideMboxes(site.settings, directories)
    return Copier(site.settings, directories, outside, rights, Manifests(tmp_path / "manifests"))


def test_a_link_that_was_prepared_is_used(site: RehashSite, mover: Mover) -> None:
    move = zoe(site)
    move.new.parent.mkdir(parents=True)
    move.new.symlink_to(TEXT)
    identity = mover.move(move)
    assert move.old.readlink() == Path(TEXT)
    assert mover.move(move) == identity


def test_a_home_waits_for_the_link_at_its_new_place(site: RehashSite, mover: Mover, copier: Copier) -> None:
    move = zoe(site)
    mover.move(move)
    for one in (mover, copier):
        with pytest.raises(MailboxBusyError, match="still needs the link"):
            one.move(move.back)


def test_a_home_that_was_renamed_gets_its_link(site: RehashSite, mover: Mover) -> None:
    move = zoe(site)
    move.new.parent.mkdir(parents=True)
    move.old.rename(move.new)
    mover.move(move)
    assert move.old.readlink() == Path(TEXT)


def test_two_homes_are_for_a_person_to_choose_from(site: RehashSite, mover: Mover) -> None:
    move = zoe(site)
    move.new.mkdir(parents=True)
    with pytest.raises(MailboxUnavailableError, match="is there as well as"):
        mover.move(move)


def test_a_copy_that_nobody_was_told_of_is_made_again(site: RehashSite, copier: Copier) -> None:
    move = zoe(site)
    copier.move(move)
    move.old.unlink()
    kept_home(move).rename(move.old)
    kept_home(move).symlink_to(TEXT)
    site.deliver("zoe", "three")
    copier.move(move)
    assert len(site.messages("zoe")) == 3


def test_an_old_home_that_was_put_aside_gets_its_link(site: RehashSite, copier: Copier) -> None:
    move = zoe(site)
    copier.move(move)
    move.old.unlink()
    copier.move(move)
    assert move.old.readlink() == Path(TEXT)


def test_what_is_no_copy_of_ours_is_left(site: RehashSite, copier: Copier) -> None:
    move = zoe(site)
    move.new.mkdir(parents=True)
    with pytest.raises(MailboxUnavailableError, match="is there already"):
        copier.move(move)


def test_what_somebody_has_put_in_the_place_of_the_link_is_not_taken_away(
    site: RehashSite, mover: Mover, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replaced_meanwhile(_home: Path, link: Path, _text: str) -> None:
        link.unlink()
        link.write_bytes(b"theirs")
        raise OSError(errno.EEXIST, "in the way")

    monkeypatch.setattr(module, "change_places", replaced_meanwhile)
    with pytest.raises(MailboxUnavailableError):
        mover.move(zoe(site))
    assert zoe(site).new.read_bytes() == b"theirs"
