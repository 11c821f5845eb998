"""Tests of ``spool.rehash.tree_copy``."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from spool import durable
from spool.errors import MailboxUnavailableError, StorageFullError
from spool.rehash import tree_copy
from spool.rehash.tree_copy import FileSeen, copy_home, files_in


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    for part in ("tmp", "new", "cur"):
        (home / "Maildir" / part).mkdir(parents=True)
    (home / "Maildir" / "new" / "1.a").write_text("one")
    (home / "Maildir" / "cur" / "2.a:2,S").write_text("two")
    (home / "Maildir" / "tmp" / "3.a").write_text("not delivered")
    (home / ".forward").write_text("x")
    (home / ".forward").chmod(0o640)
    (home / "link").symlink_to("Maildir")
    (home / "other").symlink_to(".forward")
    (home / "tmp").mkdir()
    (home / "tmp" / "mine").touch()
    home.chmod(0o710)
    os.utime(home / ".forward", ns=(1, 2_000))
    os.utime(home / "Maildir", ns=(1, 3_000))
    return home


def test_a_copy_has_all_but_what_is_not_delivered(home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    files = copy_home(home, copy)
    assert {str(path.relative_to(copy)) for path in copy.rglob("*")} == {
        str(path.relative_to(home)) for path in home.rglob("*")
    } - {"Maildir/tmp/3.a"}
    assert (copy / "Maildir" / "new" / "1.a").read_text() == "one"
    assert files.keys() == {".forward", "Maildir/new/1.a", "Maildir/cur/2.a:2,S", "tmp/mine"}
    assert files[".forward"] == FileSeen(1, 2_000)
    assert files == dict(files_in(copy))


def test_modes_times_and_links_are_kept(home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy_home(home, copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o710
    assert stat.S_IMODE((copy / ".forward").stat().st_mode) == 0o640
    assert (copy / ".forward").stat().st_mtime_ns == 2_000
    assert (copy / "Maildir").stat().st_mtime_ns == 3_000
    assert (copy / "link").readlink() == Path("Maildir")


def test_a_file_may_be_left_out(home: Path, tmp_path: Path) -> None:
    copy_home(home, tmp_path / "copy", without=Path("tmp/mine"))
    assert not (tmp_path / "copy" / "tmp" / "mine").exists()


def test_fifos_and_sockets_are_left_out_of_the_copy_and_of_its_manifest(home: Path, tmp_path: Path) -> None:
    os.mkfifo(home / "tmp" / "fifo")
    os.mknod(home / "socket", stat.S_IFSOCK | 0o600)
    files = copy_home(home, tmp_path / "copy")
    assert not {"tmp/fifo", "socket"} & {*files, *dict(files_in(home))}
    assert not (tmp_path / "copy" / "tmp" / "fifo").exists()
    assert not (tmp_path / "copy" / "socket").exists()


def test_a_device_is_not_copied(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look = os.stat

    def device(path: Any, *arguments: Any, **names: Any) -> os.stat_result:
        status = look(path, *arguments, **names)
        return os.stat_result((stat.S_IFCHR | 0o600, *status[1:])) if path == "tmp" else status

    monkeypatch.setattr(os, "stat", device)
    with pytest.raises(MailboxUnavailableError, match="tmp: is a device"):
        copy_home(home, tmp_path / "copy")


def test_a_file_that_goes_meanwhile_is_passed_over(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_file = tree_copy._copy_file

    def goes(source: int, target: int, name: str) -> FileSeen:
        if name == "1.a":
            os.unlink(name, dir_fd=source)
        return copy_file(source, target, name)

    monkeypatch.setattr(tree_copy, "_copy_file", goes)
    assert "Maildir/new/1.a" not in copy_home(home, tmp_path / "copy")


def test_what_the_disk_did_not_keep_is_noticed(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create = durable.create_file

    def forgetful(name: str, pieces: list[bytes], **values: object) -> int:
        return create(name, [piece.upper() for piece in pieces], **values)  # type: ignore[arg-type]

    monkeypatch.setattr(durable, "create_file", forgetful)
    with pytest.raises(MailboxUnavailableError, match="reads otherwise than it was written"):
        copy_home(home, tmp_path / "copy")


def test_a_directory_that_cannot_be_read_is_an_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_arguments: object, **values: object) -> list[object]:
        values["onerror"](PermissionError("no"))  # type: ignore[operator]
        return []

    monkeypatch.setattr(os, "fwalk", refused)
    with pytest.raises(PermissionError):
        list(files_in(home))


def test_a_file_larger_than_the_free_space_is_not_begun(home: Path, tmp_path: Path) -> None:
    with (home / "holes").open("wb") as file:
        file.truncate(1 << 42)  # what a user's file of holes would be as a copy
    if os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize >= 1 << 42:
        pytest.skip("this disk has room for it")
    with pytest.raises(StorageFullError, match="holes"):
        copy_home(home, tmp_path / "copy")
