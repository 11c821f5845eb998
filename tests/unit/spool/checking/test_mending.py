"""Tests of ``spool.checking.mending``: what is no longer as it was found is left."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from spool import durable
from spool.checking import mending
from spool.checking.changes import (
    Change,
    CompileAssign,
    Identity,
    Keep,
    MakeDirectory,
    PutLink,
    SetAside,
    SetMode,
    SetOwner,
)
from spool.checking.mending import Mender
from spool.checking.places import Place
from spool.checking.undo_record import UndoRecord
from spool.errors import MailboxUnavailableError
from tests.unit.spool.checking.made_site import MadeSite

OWN = (os.getuid(), os.getgid())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of a user whose uid is ours."""
    (tmp_path / "maintenance").mkdir()
    (tmp_path / "ann" / ".mailspool").mkdir(parents=True)
    (tmp_path / "ann" / "f").write_bytes(b"content")
    return tmp_path / "ann"


@pytest.fixture
def record(home: Path) -> Iterator[UndoRecord]:
    record = UndoRecord(home.parent / "maintenance")
    with contextlib.closing(record):
        yield record


@pytest.fixture
def mender(home: Path, record: UndoRecord) -> Mender:
    return Mender(home.parent / "maintenance", record)


def place(home: Path, name: str = "f") -> Place:
    return Place(home.parent, ("ann", name), os.getuid())


def identity(path: Path) -> Identity:
    return Identity.of(path.lstat())


def set_mode(home: Path) -> SetMode:
    return SetMode(place(home), identity(home / "f"), stat.S_IMODE((home / "f").stat().st_mode), 0o600)


def aside(home: Path, keep: Keep) -> SetAside:
    return SetAside(place(home), identity(home / "f"), (home / "f").lstat().st_mtime_ns, keep)


def replaced(path: Path) -> None:
    path.with_name("other").write_bytes(b"other")
    path.with_name("other").rename(path)


def changes(home: Path) -> dict[str, Change]:
    return {
        "mode": set_mode(home),
        "owner": SetOwner(place(home), identity(home / "f"), OWN, OWN),
        **{f"aside {keep.value}": aside(home, keep) for keep in Keep},
    }


@pytest.mark.parametrize("name", ["mode", "owner", "aside home", "aside site", "aside record"])
@pytest.mark.parametrize("what", [replaced, Path.unlink], ids=["replaced", "gone"])
def test_a_file_that_is_another_by_now_is_left(
    home: Path, mender: Mender, record: UndoRecord, name: str, what: object
) -> None:
    change = changes(home)[name]
    what(home / "f")  # type: ignore[operator]
    before = sorted((path, path.lstat().st_mode) for path in home.rglob("*"))
    assert not mender.make(change)
    assert sorted((path, path.lstat().st_mode) for path in home.rglob("*")) == before
    assert not record.begun


def test_a_file_that_got_a_second_name_is_left(home: Path, mender: Mender) -> None:
    change = set_mode(home)
    os.link(home / "f", home / "g")
    assert not mender.make(change)


def test_an_owner_is_set(home: Path, mender: Mender, record: UndoRecord) -> None:
    assert mender.make(SetOwner(place(home), identity(home / "f"), OWN, OWN))
    assert record.begun


@pytest.mark.parametrize("keep", [Keep.HOME, Keep.SITE, Keep.RECORD])
@pytest.mark.parametrize("taken", [False, True])
def test_what_comes_into_its_place_at_the_last_moment_is_put_back(
    home: Path, mender: Mender, monkeypatch: pytest.MonkeyPatch, keep: Keep, taken: bool
) -> None:
    change, rename = aside(home, keep), durable.rename

    def replace_first(*arguments: object, **keywords: object) -> None:
        replaced(home / "f")
        rename(*arguments, **keywords)  # type: ignore[arg-type]
        if taken:
            (home / "f").write_bytes(b"newest")

    monkeypatch.setattr(durable, "rename", replace_first)
    assert not mender.make(change)
    assert (home / "f").read_bytes() == (b"newest" if taken else b"other")


@pytest.mark.parametrize("keep", list(Keep))
def test_what_goes_at_the_last_moment_is_gone(
    home: Path, mender: Mender, monkeypatch: pytest.MonkeyPatch, keep: Keep
) -> None:
    change, rename = aside(home, keep), durable.rename

    def remove_first(*arguments: object, **keywords: object) -> None:
        (home / "f").unlink()
        rename(*arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(durable, "rename", remove_first)
    assert not mender.make(change)


def test_files_of_one_repair_are_kept_in_one_directory(home: Path, mender: Mender, record: UndoRecord) -> None:
    assert mender.make(aside(home, Keep.HOME))
    (home / "f").write_bytes(b"again")
    assert mender.make(aside(home, Keep.HOME))
    kept = home / ".mailspool" / f"removed-{record.name}"
    assert sorted((path.name, path.read_bytes()) for path in kept.iterdir()) == [("1", b"content"), ("2", b"again")]


def test_a_directory_is_made_only_where_nothing_is(home: Path, mender: Mender) -> None:
    assert not mender.make(MakeDirectory(place(home), OWN))
    assert (home / "f").read_bytes() == b"content"


def test_a_link_is_put_only_where_it_was_looked_for(home: Path, mender: Mender) -> None:
    assert not mender.make(PutLink(place(home), "x", None))
    assert not mender.make(PutLink(place(home), "x", "y"))
    assert (home / "f").read_bytes() == b"content"


def test_assignments_that_are_compiled_by_now_are_left(made: MadeSite, mender: Mender) -> None:
    assert not mender.make(CompileAssign(made.site.assign, made.site.assign_compiled))


def test_a_home_that_is_not_its_user_s_is_left(home: Path, mender: Mender) -> None:
    change = SetMode(
        Place(home.parent, ("ann", "f"), os.getuid() + 1), identity(home / "f"), (home / "f").stat().st_mode, 0o600
    )
    with pytest.raises(MailboxUnavailableError, match="not owned by uid"):
        mender.make(change)


def test_a_link_planted_on_the_way_is_not_followed(home: Path, mender: Mender) -> None:
    (home / "Maildir").symlink_to(home)
    change = SetMode(Place(home.parent, ("ann", "Maildir", "f"), os.getuid()), identity(home / "f"), 0o644, 0o600)
    with pytest.raises(NotADirectoryError):
        mender.make(change)


@pytest.mark.parametrize("keep", Keep)
def test_a_pipe_that_looks_like_the_file_is_not_put_aside(home: Path, mender: Mender, keep: Keep) -> None:
    (home / "f").unlink()
    os.mkfifo(home / "f")
    assert not mender.make(aside(home, keep))
    assert (home / "f").is_fifo()


def test_the_content_of_a_pipe_is_not_waited_for(home: Path, mender: Mender, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "f").unlink()
    os.mkfifo(home / "f")
    # As if it came there between the look and the reading.
    monkeypatch.setattr(mending, "can_be_set_aside", lambda _status: True)
    with pytest.raises(OSError, match="not a regular file"):
        mender.make(aside(home, Keep.RECORD))
