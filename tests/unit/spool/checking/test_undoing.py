"""Tests of ``spool.checking.undoing``: what is no longer as the repair left it stays as it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest

from spool import durable
from spool.assign import publish_assign, read_assign
from spool.checking.undoing import Undone
from tests.unit.spool.checking.breakages import BREAKAGES
from tests.unit.spool.checking.made_site import MadeSite


def _kept(made: MadeSite) -> Path:
    (directory,) = (made.home("ann") / ".mailspool").glob("removed-*")
    return directory


CHANGED: Final[Mapping[str, tuple[str, Callable[[MadeSite], object]]]] = {
    "another mode": ("a home others write in", lambda made: made.home("ann").chmod(0o750)),
    "a directory in use": ("no cur", lambda made: (made.home("ann") / "Maildir/cur/1").touch()),
    "a link elsewhere": (
        "a link to another home",
        lambda made: durable.make_symlink(made.directory / "links" / "ann", "/y"),
    ),
    "a file in its place": ("an old file in tmp", lambda made: (made.home("ann") / "Maildir/tmp/1").touch()),
    "kept no longer": ("an old file in tmp", lambda made: next(_kept(made).iterdir()).unlink()),
    "nothing kept": ("an old file in tmp", lambda made: shutil.rmtree(_kept(made))),
    "a lock in its place": ("an old dot-lock", lambda made: (made.home("bob") / "Mailbox.lock").touch()),
    "assignments compiled since": (
        "assign.cdb is of yesterday",
        lambda made: publish_assign([*read_assign(made.site.assign)][:1], made.site.assign_compiled),
    ),
    "no assignments": ("assign.cdb is of yesterday", lambda made: made.site.assign_compiled.unlink()),
    "a home that is gone": ("a home others write in", lambda made: made.home("ann").rename(made.directory / "x")),
    "a lock made anew": (
        "a lock without rights",
        lambda made: (made.state_file("ann", ".lock").rename(made.directory / "x"), None)[1],
    ),
}


@pytest.mark.parametrize(("breakage", "change"), CHANGED.values(), ids=list(CHANGED))
def test_what_was_changed_since_is_left_and_told(
    made: MadeSite, breakage: str, change: Callable[[MadeSite], object]
) -> None:
    BREAKAGES[breakage].make(made)
    _, summary = made.check(repair=True)
    change(made)
    before = made.everything()
    assert made.outcomes(summary.undo_record) == {Undone.CHANGED}
    assert made.everything() == before


def test_nothing_is_changed_by_a_dry_run(made: MadeSite) -> None:
    BREAKAGES["no cur"].make(made)
    _, summary = made.check(repair=True)
    before = made.everything()
    (undone,) = made.undo(summary.undo_record, dry_run=True)
    assert (undone.path, undone.outcome) == (made.home("ann") / "Maildir" / "cur", Undone.UNDONE)
    assert made.everything() == before


def test_a_link_that_was_made_is_removed_again(made: MadeSite) -> None:
    BREAKAGES["no link to a home"].make(made)
    _, summary = made.check(repair=True)
    assert made.outcomes(summary.undo_record) == {Undone.UNDONE}
    assert not (made.directory / "links" / "ann").is_symlink()
    (made.directory / "links" / "ann").touch()
    assert made.outcomes(summary.undo_record) == {Undone.CHANGED}


def test_a_file_that_is_back_at_both_places_is_kept_once(made: MadeSite) -> None:
    BREAKAGES["an old file in tmp"].make(made)
    _, summary = made.check(repair=True)
    (made.home("ann") / "Maildir" / "tmp" / "1").hardlink_to(next(_kept(made).iterdir()))
    kept = _kept(made)
    (kept / "more").touch()
    assert made.outcomes(summary.undo_record) == {Undone.UNDONE}
    assert (made.home("ann") / "Maildir" / "tmp" / "1").stat().st_nlink == 1
    assert [path.name for path in kept.iterdir()] == ["more"]
    assert made.outcomes(summary.undo_record) == {Undone.AS_BEFORE}


def test_trouble_with_one_change_does_not_keep_the_others(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    BREAKAGES["no cur"].make(made)
    BREAKAGES["a secret is readable"].make(made)
    _, summary = made.check(repair=True)

    def fail(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(durable, "remove_directory", fail)
    undone = {each.path.name: each.outcome for each in made.undo(summary.undo_record)}
    assert undone == {"cur": Undone.FAILED, "passwd": Undone.UNDONE}


def test_a_lock_that_comes_at_the_last_moment_is_kept(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    BREAKAGES["an old dot-lock"].make(made)
    _, summary = made.check(repair=True)
    lock, link = made.home("bob") / "Mailbox.lock", durable.link

    def lock_first(*arguments: object, **keywords: object) -> None:
        lock.write_bytes(b"new")
        link(*arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(durable, "link", lock_first)
    made.undo(summary.undo_record)
    assert lock.read_bytes() == b"new"
    assert [path.name for path in made.home("bob").iterdir() if path.name.endswith(".new")] == []
