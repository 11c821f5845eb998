from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from spool.errors import MailboxUnavailableError
from spool.maildir.directories import (
    TMP_SECONDS_MAX,
    Found,
    MessageDirectories,
    Part,
    Place,
    read_pieces,
    sweep_tmp,
)
from tests.mailbox_locations import location_in

NEW = Place(Part.NEW, "")


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    return location_in(tmp_path).path


@pytest.fixture
def directories(maildir: Path) -> Iterator[MessageDirectories]:
    opened = MessageDirectories(maildir)
    yield opened
    opened.close()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_messages_are_found_by_base_with_their_places(maildir: Path, directories: MessageDirectories) -> None:
    for name in ("new/a", "new/b:2,F", "cur/c:2,S", "cur/d:2,S", "cur/e:x:y", "cur/f:", "cur/g"):
        (maildir / name).touch()
    assert directories.scan() == Found(
        {
            "a": NEW,
            "b": Place(Part.NEW, ":2,F"),
            "c": Place(Part.CUR, ":2,S"),
            "d": Place(Part.CUR, ":2,S"),
            "e": Place(Part.CUR, ":x:y"),
            "f": Place(Part.CUR, ":"),
            "g": Place(Part.CUR, ""),
        },
        [],
    )


def test_what_is_no_message_is_passed_over(maildir: Path, directories: MessageDirectories) -> None:
    (maildir / "new" / ".hidden").touch()
    (maildir / "new" / "directory").mkdir()
    (maildir / "new" / "link").symlink_to("/etc/passwd")
    os.mkfifo(maildir / "new" / "fifo")
    (maildir / "tmp" / "unfinished").touch()
    assert directories.scan() == Found({}, [])


def test_a_base_in_both_directories_is_found_in_cur_and_told(maildir: Path, directories: MessageDirectories) -> None:
    (maildir / "new" / "a").touch()
    (maildir / "cur" / "a:2,").touch()
    assert directories.scan() == Found({"a": Place(Part.CUR, ":2,")}, [("a", NEW)])


def test_the_stamp_of_a_directory_changes_with_the_names_in_it(maildir: Path, directories: MessageDirectories) -> None:
    os.utime(maildir / "new", (1, 1))
    before = [directories.stamp(part) for part in Part]
    (maildir / "new" / "a").touch()
    after = [directories.stamp(part) for part in Part]
    assert (before[0] == after[0], before[1] == after[1]) == (False, True)


def test_a_directory_replaced_by_a_link_meanwhile_leads_nowhere(
    tmp_path: Path, maildir: Path, directories: MessageDirectories
) -> None:
    (maildir / "new" / "a").write_bytes(b"mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a").write_bytes(b"another's")
    (maildir / "new").rename(maildir / "old")
    (maildir / "new").symlink_to(tmp_path / "elsewhere")
    descriptor = directories.open_file("a", NEW)
    assert os.read(descriptor, 9) == b"mine"
    os.close(descriptor)
    directories.remove("a", NEW)
    assert (tmp_path / "elsewhere" / "a").exists()


@pytest.mark.parametrize("planted", ["Maildir", "Maildir/new", "Maildir/cur"])
def test_a_link_in_a_directory_s_place_is_not_followed(tmp_path: Path, maildir: Path, planted: str) -> None:
    (tmp_path / planted).rename(tmp_path / "elsewhere")
    (tmp_path / planted).symlink_to(tmp_path / "elsewhere")
    before = open_descriptors()
    with pytest.raises(OSError, match=r"Not a directory|symbolic link"):
        MessageDirectories(maildir)
    assert open_descriptors() == before


def test_closed_directories_are_unavailable(directories: MessageDirectories) -> None:
    directories.close()
    directories.close()
    with pytest.raises(MailboxUnavailableError):
        directories.scan()


def test_a_link_or_fifo_is_not_opened_as_message(maildir: Path, directories: MessageDirectories) -> None:
    (maildir / "new" / "link").symlink_to("/etc/passwd")
    os.mkfifo(maildir / "new" / "fifo")
    before = open_descriptors()
    with pytest.raises(OSError, match="symbolic link"):
        directories.open_file("link", NEW)
    with pytest.raises(OSError, match="not a regular file"):
        directories.open_file("fifo", NEW)
    assert open_descriptors() == before


def test_a_message_is_moved_and_removed(maildir: Path, directories: MessageDirectories) -> None:
    (maildir / "new" / "a").touch()
    place = Place(Part.CUR, ":2,S")
    directories.move("a", NEW, place)
    directories.sync(Part.NEW)
    directories.sync(Part.CUR)
    assert [path.name for path in maildir.glob("*/*")] == ["a:2,S"]
    assert directories.stat("a", place).st_size == 0
    directories.rename("a", place, "b")
    directories.remove("b", place)
    assert not list(maildir.glob("*/*"))


def test_a_message_that_is_gone_is_not_found(directories: MessageDirectories) -> None:
    with pytest.raises(FileNotFoundError):
        directories.remove("a", NEW)
    with pytest.raises(FileNotFoundError):
        directories.move("a", NEW, Place(Part.CUR, ":2,S"))
    with pytest.raises(FileNotFoundError):
        directories.open_file("a", NEW)


def test_pieces_are_all_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100_000)
    descriptor = os.open(tmp_path / "file", os.O_RDONLY)
    assert [len(piece) for piece in read_pieces(descriptor)] == [65536, 34464]
    os.close(descriptor)


def test_only_files_neither_written_nor_read_for_36_hours_are_swept(maildir: Path) -> None:
    now = 2_000_000_000
    for name, accessed, written in (
        ("old", now - TMP_SECONDS_MAX - 1, now - TMP_SECONDS_MAX - 1),
        ("young", now - TMP_SECONDS_MAX, now - TMP_SECONDS_MAX),
        ("read", now, 0),
        ("written", 0, now),
        (".hidden", 0, 0),
    ):
        (maildir / "tmp" / name).touch()
        os.utime(maildir / "tmp" / name, (accessed, written))
    sweep_tmp(maildir, now)
    assert sorted(path.name for path in (maildir / "tmp").iterdir()) == [".hidden", "read", "written", "young"]


def test_sweeping_follows_no_link(tmp_path: Path, maildir: Path) -> None:
    (tmp_path / "precious").touch()
    os.utime(tmp_path / "precious", (0, 0))
    (maildir / "tmp" / "link").symlink_to(tmp_path / "precious")
    (maildir / "tmp" / "directory").mkdir()
    sweep_tmp(maildir, 2_000_000_000)
    assert (tmp_path / "precious").exists()
    assert len(list((maildir / "tmp").iterdir())) == 2


def test_what_cannot_be_looked_at_or_removed_is_not_swept(maildir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (maildir / "tmp" / "old").touch()
    os.utime(maildir / "tmp" / "old", (0, 0))

    def refuse(*arguments: object, **names: object) -> None:
        raise PermissionError

    for call in ("unlink", "stat"):
        with monkeypatch.context() as patched:
            patched.setattr(os, call, refuse)
            sweep_tmp(maildir, 2_000_000_000)
    assert (maildir / "tmp" / "old").exists()
