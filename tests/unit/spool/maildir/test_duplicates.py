from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spool.maildir.directories import MessageDirectories, Part, Place
from spool.maildir.duplicates import mend_duplicates
from tests.mailbox_locations import location_in

NEW, CUR = Place(Part.NEW, ""), Place(Part.CUR, ":2,S")


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    return location_in(tmp_path).path


@pytest.fixture
def mend(maildir: Path) -> Iterator[Callable[[], dict[str, Place]]]:
    """Mends, and returns the places then known."""
    directories = MessageDirectories(maildir)
    names = (f"fresh{number}" for number in itertools.count(1))

    def mend_it() -> dict[str, Place]:
        found = directories.scan()
        assert mend_duplicates(directories, found, lambda: next(names))
        assert directories.scan().places == found.places
        return found.places

    yield mend_it
    directories.close()


def content(maildir: Path) -> dict[str, bytes]:
    return {str(path.relative_to(maildir)): path.read_bytes() for path in maildir.glob("*/*")}


def test_of_two_names_of_one_file_that_in_cur_stays(maildir: Path, mend: Callable[[], dict[str, Place]]) -> None:
    (maildir / "new/a").write_bytes(b"x\n")
    (maildir / "cur/a:2,S").hardlink_to(maildir / "new/a")
    assert mend() == {"a": CUR}
    assert content(maildir) == {"cur/a:2,S": b"x\n"}


def test_of_two_equal_files_that_in_cur_stays(maildir: Path, mend: Callable[[], dict[str, Place]]) -> None:
    (maildir / "new/a").write_bytes(b"x" * 100_000)
    (maildir / "cur/a:2,S").write_bytes(b"x" * 100_000)
    assert mend() == {"a": CUR}
    assert content(maildir) == {"cur/a:2,S": b"x" * 100_000}


@pytest.mark.parametrize("other", [b"other length\n", b"y\n"])
def test_two_different_messages_get_names_of_their_own(
    maildir: Path, mend: Callable[[], dict[str, Place]], other: bytes
) -> None:
    (maildir / "new/a").write_bytes(b"x\n")
    (maildir / "cur/a:2,S").write_bytes(other)
    assert mend() == {"a": CUR, "fresh1": NEW}
    assert content(maildir) == {"cur/a:2,S": other, "new/fresh1": b"x\n"}


def test_three_different_messages_of_one_name_are_three(maildir: Path, mend: Callable[[], dict[str, Place]]) -> None:
    for name in ("new/a", "cur/a:2,S", "cur/a:2,F"):
        (maildir / name).write_bytes(name.encode())
    assert len(mend()) == 3
    assert set(content(maildir).values()) == {b"new/a", b"cur/a:2,S", b"cur/a:2,F"}


def test_a_new_name_is_synced(
    maildir: Path, mend: Callable[[], dict[str, Place]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (maildir / "new/a").write_bytes(b"x\n")
    (maildir / "cur/a:2,S").write_bytes(b"y\n")
    synced: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synced.append(Path(f"/proc/self/fd/{descriptor}").resolve().name)
    )
    mend()
    assert synced == ["new"]


def test_a_message_moved_between_the_looks_is_left_alone(maildir: Path) -> None:
    directories = MessageDirectories(maildir)
    (maildir / "new/a").write_bytes(b"x\n")
    first = directories.scan()
    (maildir / "new/a").rename(maildir / "cur/a:2,S")
    second = directories.scan()
    second.second_places.append(("a", first.places["a"]))
    assert mend_duplicates(directories, second, str)
    assert content(maildir) == {"cur/a:2,S": b"x\n"}
    directories.close()


def test_one_file_found_at_one_place_by_both_looks_is_not_removed(maildir: Path) -> None:
    directories = MessageDirectories(maildir)
    (maildir / "cur/a:2,S").write_bytes(b"x\n")
    found = directories.scan()
    found.second_places.append(("a", CUR))
    assert mend_duplicates(directories, found, str)
    assert content(maildir) == {"cur/a:2,S": b"x\n"}
    directories.close()


def test_trouble_with_one_leaves_it_and_mends_the_others(maildir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directories = MessageDirectories(maildir)
    for base in "ab":
        (maildir / "new" / base).write_bytes(b"x\n")
        (maildir / "cur" / f"{base}:2,S").write_bytes(b"x\n")
    unlink = os.unlink

    def refuse_one(path: str, *, dir_fd: int | None = None) -> None:
        if path == "a":
            raise PermissionError
        unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", refuse_one)
    assert not mend_duplicates(directories, directories.scan(), str)
    assert sorted(content(maildir)) == ["cur/a:2,S", "cur/b:2,S", "new/a"]
    directories.close()
