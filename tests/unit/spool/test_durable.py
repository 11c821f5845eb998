"""Tests of ``spool.durable``."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spool import durable
from spool.errors import DiskQuotaError, MailboxUnavailableError, SpoolError, StorageFullError


class FakeOs:
    """The real ``os`` with some functions replaced, and a record of the names of all that were called."""

    def __init__(self, **replaced: Callable[..., Any]) -> None:
        self.calls: list[str] = []
        self._replaced = replaced

    def __getattr__(self, name: str) -> Any:
        found = self._replaced.get(name, getattr(os, name))
        if not callable(found):
            return found

        def call(*arguments: Any, **keywords: Any) -> Any:
            self.calls.append(name)
            return found(*arguments, **keywords)

        return call


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeOs]:
    def install(**replaced: Callable[..., Any]) -> FakeOs:
        fake = FakeOs(**replaced)
        monkeypatch.setattr(durable, "os", fake)
        return fake

    return install


def failing(number: int) -> Callable[..., Any]:
    def fail(*_arguments: Any, **_keywords: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


OURSELVES = (os.getuid(), os.getgid())


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, StorageFullError),
        (errno.EDQUOT, DiskQuotaError),
        (errno.EIO, MailboxUnavailableError),
        (errno.EACCES, MailboxUnavailableError),
    ],
)
def test_an_error_becomes_what_it_means_for_a_mailbox(number: int, kind: type[SpoolError], tmp_path: Path) -> None:
    with pytest.raises(kind, match=str(tmp_path)) as caught, durable.storage_errors(tmp_path):
        failing(number)()
    assert isinstance(caught.value.__cause__, OSError)


def test_a_new_file_has_all_pieces_and_its_octets_are_synced(tmp_path: Path, fake: Callable[..., FakeOs]) -> None:
    calls = fake().calls
    assert durable.create_file(tmp_path / "f", [b"one\n", b"", b"two\n"]) == 8
    assert (tmp_path / "f").read_bytes() == b"one\ntwo\n"
    assert mode_of(tmp_path / "f") == 0o600
    assert calls[-2:] == ["fsync", "close"]


def test_a_new_file_may_look_as_if_it_was_written_earlier(tmp_path: Path) -> None:
    durable.create_file(tmp_path / "f", [b"octets"], modified_ns=1_500_000_000)
    assert (tmp_path / "f").stat().st_mtime_ns == 1_500_000_000


def test_a_new_file_can_be_given_away(tmp_path: Path) -> None:
    durable.create_file(tmp_path / "f", [], owner=OURSELVES)
    assert (tmp_path / "f").stat().st_uid == OURSELVES[0]


@pytest.mark.parametrize("taken", ["file", "link", "directory"])
def test_a_new_file_never_takes_a_name_that_is_taken(tmp_path: Path, taken: str) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "directory").mkdir()
    with pytest.raises(FileExistsError):
        durable.create_file(tmp_path / taken, [b"new"])
    assert (tmp_path / "file").read_bytes() == b"old"
    assert not (tmp_path / "elsewhere").exists()


def test_a_new_file_whose_pieces_fail_is_removed(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"one"
        raise KeyError

    with pytest.raises(KeyError):
        durable.create_file(tmp_path / "f", pieces())
    assert not list(tmp_path.iterdir())


def test_a_new_file_that_cannot_be_written_is_removed(tmp_path: Path, fake: Callable[..., FakeOs]) -> None:
    fake(fsync=failing(errno.ENOSPC))
    with pytest.raises(OSError, match="No space"):
        durable.create_file(tmp_path / "f", [b"new"])
    assert not list(tmp_path.iterdir())


def test_a_replaced_file_has_content_mode_and_owner(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    durable.replace_file(tmp_path / "f", [b"ne", b"w"], mode=0o664, owner=OURSELVES)
    assert (tmp_path / "f").read_bytes() == b"new"
    assert mode_of(tmp_path / "f") == 0o664
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_file_is_synced_before_it_takes_its_name_and_the_directory_after(
    tmp_path: Path, fake: Callable[..., FakeOs]
) -> None:
    calls = fake().calls
    durable.replace_file(tmp_path / "f", [b"new"])
    order = [name for name in calls if name in {"write", "fsync", "rename"}]
    assert order == ["write", "fsync", "rename", "fsync"]


@pytest.mark.parametrize("function", ["write", "fsync", "rename"])
def test_a_file_that_cannot_be_replaced_stays(tmp_path: Path, fake: Callable[..., FakeOs], function: str) -> None:
    (tmp_path / "f").write_bytes(b"old")
    fake(**{function: failing(errno.EIO)})
    with pytest.raises(OSError, match="Input/output"):
        durable.replace_file(tmp_path / "f", [b"new"])
    assert (tmp_path / "f").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_directory_has_its_mode_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        durable.make_directory(tmp_path / "d", mode=0o755, owner=OURSELVES)
    finally:
        os.umask(old)
    assert mode_of(tmp_path / "d") == 0o755


def test_a_directory_never_takes_a_name_that_is_taken(tmp_path: Path) -> None:
    (tmp_path / "d").symlink_to(tmp_path)
    with pytest.raises(FileExistsError):
        durable.make_directory(tmp_path / "d")


def test_a_directory_and_the_one_above_are_synced(tmp_path: Path, fake: Callable[..., FakeOs]) -> None:
    calls = fake().calls
    durable.make_directory(tmp_path / "d")
    assert calls.count("fsync") == 2


def test_a_tree_is_removed_without_following_links(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "mail").write_bytes(b"mail")
    (tmp_path / "tree" / "a" / "b").mkdir(parents=True)
    (tmp_path / "tree" / "a" / "f").write_bytes(b"")
    (tmp_path / "tree" / "a" / "link").symlink_to(tmp_path / "kept")
    assert durable.remove_tree(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()
    assert (tmp_path / "kept" / "mail").read_bytes() == b"mail"


def test_a_link_in_the_place_of_a_tree_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "tree").symlink_to(tmp_path / "kept")
    with pytest.raises(OSError, match="Not a directory"):
        durable.remove_tree(tmp_path / "tree")
    assert (tmp_path / "kept").is_dir()


def test_removing_a_tree_that_is_gone_says_so(tmp_path: Path) -> None:
    assert not durable.remove_tree(tmp_path / "tree")


def test_a_symbolic_link_replaces_another(tmp_path: Path) -> None:
    durable.make_symlink(tmp_path / "l", "one")
    durable.make_symlink(tmp_path / "l", "two")
    assert (tmp_path / "l").readlink() == Path("two")
    assert [path.name for path in tmp_path.iterdir()] == ["l"]


def test_a_symbolic_link_that_cannot_be_placed_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "l").mkdir()
    with pytest.raises(OSError, match="directory"):
        durable.make_symlink(tmp_path / "l", "one")
    assert [path.name for path in tmp_path.iterdir()] == ["l"]


def test_a_renamed_file_replaces_another(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    durable.rename(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"a"


def test_removing_says_whether_the_file_was_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    assert durable.remove(tmp_path / "a")
    assert not durable.remove(tmp_path / "a")


def test_what_is_appended_goes_to_the_end_wherever_that_is(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"one\n")
    descriptor = durable.open_for_append(tmp_path / "f")
    with (tmp_path / "f").open("ab") as other:
        other.write(b"two\n")
    durable.write_all(descriptor, b"three\n")
    durable.sync_file(descriptor)
    os.close(descriptor)
    assert (tmp_path / "f").read_bytes() == b"one\ntwo\nthree\n"


def test_a_missing_file_is_not_opened_unless_asked_for(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        durable.open_for_append(tmp_path / "f")
    assert not list(tmp_path.iterdir())


def test_a_file_made_on_opening_has_its_name_on_disk(tmp_path: Path, fake: Callable[..., FakeOs]) -> None:
    calls = fake().calls
    os.close(durable.open_for_append(tmp_path / "f", create_mode=0o640))
    assert mode_of(tmp_path / "f") == 0o640
    assert "fsync" in calls


def test_a_file_made_on_opening_is_closed_if_its_name_cannot_be_synced(
    tmp_path: Path, fake: Callable[..., FakeOs]
) -> None:
    calls = fake(fsync=failing(errno.EIO)).calls
    with pytest.raises(OSError, match="Input/output"):
        durable.open_for_append(tmp_path / "f", create_mode=0o600)
    assert calls.count("close") == calls.count("open") - 1  # the first one found no file


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_what_is_no_regular_file_is_not_opened_for_writing(tmp_path: Path, kind: str) -> None:
    (tmp_path / "target").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match=r"symbolic links|not a regular file"):
        durable.open_for_update(tmp_path / kind)


def test_short_writes_are_continued(tmp_path: Path, fake: Callable[..., FakeOs]) -> None:
    fake(write=lambda descriptor, data: os.write(descriptor, bytes(data)[:3]))
    durable.create_file(tmp_path / "f", [b"0123456789"])
    assert (tmp_path / "f").read_bytes() == b"0123456789"


def test_short_writes_at_an_offset_are_continued(tmp_path: Path, fake: Callable[..., FakeOs]) -> None:
    (tmp_path / "f").write_bytes(b"----------")
    fake(pwrite=lambda descriptor, data, offset: os.pwrite(descriptor, bytes(data)[:3], offset))
    descriptor = durable.open_for_update(tmp_path / "f")
    durable.write_at(descriptor, b"01234567", 1)
    os.close(descriptor)
    assert (tmp_path / "f").read_bytes() == b"-01234567-"


def test_a_file_is_cut(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"0123456789")
    descriptor = durable.open_for_update(tmp_path / "f")
    durable.truncate(descriptor, 4)
    os.close(descriptor)
    assert (tmp_path / "f").read_bytes() == b"0123"


def test_a_second_name_is_the_same_file_and_takes_no_name(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"mail")
    (tmp_path / "taken").write_bytes(b"other")
    directory = os.open(tmp_path, os.O_RDONLY)
    durable.link("f", "g", source_dir_fd=directory, target_dir_fd=directory)
    with pytest.raises(FileExistsError):
        durable.link("f", "taken", source_dir_fd=directory, target_dir_fd=directory)
    os.close(directory)
    assert (tmp_path / "g").samefile(tmp_path / "f")
    assert (tmp_path / "taken").read_bytes() == b"other"


def test_only_an_empty_directory_is_removed(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "full" / "f").mkdir(parents=True)
    durable.remove_directory(tmp_path / "empty")
    with pytest.raises(OSError, match="not empty"):
        durable.remove_directory(tmp_path / "full")
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_a_new_link_takes_no_name(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    durable.create_symlink("link", "somewhere", dir_fd=directory)
    with pytest.raises(FileExistsError):
        durable.create_symlink("link", "elsewhere", dir_fd=directory)
    os.close(directory)
    assert (tmp_path / "link").readlink() == Path("somewhere")


def test_attributes_change_by_a_descriptor_that_may_not_read(tmp_path: Path) -> None:
    (tmp_path / "f").touch(mode=0o200)
    descriptor = os.open(tmp_path / "f", os.O_PATH)
    for mode in (0o640, 0o200, 0o600):
        durable.change_attributes(descriptor, mode=mode)
        assert mode_of(tmp_path / "f") == mode
    durable.change_attributes(descriptor, owner=(os.getuid(), os.getgid()))
    os.close(descriptor)


@pytest.mark.parametrize("permitted", [0, 1])
def test_attributes_are_synced_through_whichever_opening_is_permitted(
    tmp_path: Path, fake: Callable[..., FakeOs], permitted: int
) -> None:
    (tmp_path / "f").touch()
    descriptor, openings = os.open(tmp_path / "f", os.O_PATH), iter(range(2))

    def denying(*arguments: Any) -> int:
        if next(openings) < permitted:
            raise PermissionError(errno.EACCES, "Permission denied")
        return os.open(*arguments)

    calls = fake(open=denying).calls
    durable.change_attributes(descriptor, mode=0o600)
    os.close(descriptor)
    assert calls.count("fsync") == 1
    assert calls.count("close") == 1


def test_attributes_that_cannot_be_changed_leave_nothing_open(tmp_path: Path, fake: Callable[..., FakeOs]) -> None:
    (tmp_path / "f").touch()
    descriptor = os.open(tmp_path / "f", os.O_PATH)
    calls = fake(open=failing(errno.EACCES), chmod=failing(errno.EPERM)).calls
    with pytest.raises(PermissionError):
        durable.change_attributes(descriptor, mode=0o600)
    os.close(descriptor)
    assert calls.count("close") == 0


def test_a_time_of_modification_is_set(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    directory = os.open(tmp_path, os.O_RDONLY)
    durable.set_modification_time("link", 10**18, dir_fd=directory)
    os.close(directory)
    assert (tmp_path / "link").lstat().st_mtime_ns == 10**18


def test_a_file_made_on_opening_that_need_not_last_costs_no_sync(tmp_path: Path, fake: Callable[..., FakeOs]) -> None:
    calls = fake().calls
    os.close(durable.open_for_update(tmp_path / "lock", create_mode=0o600, lasting=False))
    assert "fsync" not in calls


def test_a_directory_is_made_without_a_sync(tmp_path: Path, fake: Callable[..., FakeOs]) -> None:
    calls = fake().calls
    durable.create_directory(tmp_path / "a", mode=0o751, owner=OURSELVES)
    assert mode_of(tmp_path / "a") == 0o751
    assert "fsync" not in calls


def test_a_directory_that_is_right_when_it_is_made_is_not_changed_again(
    tmp_path: Path, fake: Callable[..., FakeOs]
) -> None:
    calls = fake().calls
    durable.create_directory(tmp_path / "a", mode=0o700, owner=OURSELVES)
    assert not {"fchmod", "fchown"} & set(calls)


def test_a_directory_is_given_to_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda _descriptor, uid, gid: given.append((uid, gid)))
    durable.create_directory(tmp_path / "a", mode=0o700, owner=(4711, 4712))
    assert given == [(4711, 4712)]


def test_a_file_is_made_in_an_open_directory_which_is_synced(tmp_path: Path, fake: Callable[..., FakeOs]) -> None:
    calls = fake().calls
    directory = os.open(tmp_path, os.O_RDONLY)
    os.close(durable.open_for_update("lock", create_mode=0o600, dir_fd=directory))
    os.close(directory)
    assert (tmp_path / "lock").is_file()
    assert "fsync" in calls


def test_names_change_places_and_file_systems_are_synced(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    durable.create_symlink(tmp_path / "link", "home", owner=OURSELVES)
    durable.exchange(tmp_path / "link", tmp_path / "home")
    durable.sync_file_system(tmp_path)
    assert (tmp_path / "link").is_dir()
    assert (tmp_path / "home").is_symlink()
