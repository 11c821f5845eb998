import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from spool.mbox.dotlock import DotLock


@pytest.fixture
def mbox(tmp_path: Path) -> Path:
    return tmp_path / "Mailbox"


def lock_path(mbox: Path) -> Path:
    return mbox.with_name("Mailbox.lock")


def lock_of(mbox: Path) -> DotLock:
    return DotLock(mbox, stale_seconds=300)


def age(path: Path, seconds: float) -> None:
    changed = path.lstat().st_mtime - seconds
    os.utime(path, (changed, changed), follow_symlinks=False)


def test_one_of_two_gets_it(mbox: Path) -> None:
    first, second = lock_of(mbox), lock_of(mbox)
    assert first.try_acquire()
    assert not second.try_acquire()
    second.release()
    assert lock_path(mbox).exists()
    first.release()
    assert second.try_acquire()


def test_nothing_is_left_behind(mbox: Path) -> None:
    first, second = lock_of(mbox), lock_of(mbox)
    assert (first.try_acquire(), second.try_acquire()) == (True, False)
    first.release()
    assert list(mbox.parent.iterdir()) == []


def test_it_says_which_process_on_which_host_holds_it(mbox: Path) -> None:
    lock_of(mbox).try_acquire()
    lines = lock_path(mbox).read_text().splitlines()
    assert lines[0] == str(os.getpid())
    assert lines[1].startswith(f"{os.uname().nodename}/pid:")


def test_anothers_stale_lock_is_broken(mbox: Path) -> None:
    lock_path(mbox).write_text("1")
    age(lock_path(mbox), 301)
    assert lock_of(mbox).try_acquire()


def test_anothers_fresh_lock_is_respected(mbox: Path) -> None:
    lock_path(mbox).write_text("99999999")
    age(lock_path(mbox), 200)
    assert not lock_of(mbox).try_acquire()


def test_a_lock_of_ours_whose_process_is_gone_need_not_age(mbox: Path) -> None:
    lock_of(mbox).try_acquire()
    lines = lock_path(mbox).read_text().splitlines()
    lock_path(mbox).write_text(f"{2**22 + 1}\n{lines[1]}\n")
    assert lock_of(mbox).try_acquire()


def test_a_lock_of_ours_whose_process_runs_must_age(mbox: Path) -> None:
    lock_of(mbox).try_acquire()
    assert not lock_of(mbox).try_acquire()


def test_a_lock_of_ours_on_another_host_must_age(mbox: Path) -> None:
    lock_path(mbox).write_text(f"{2**22 + 1}\nelsewhere/pid:[1]\n")
    assert not lock_of(mbox).try_acquire()


def test_a_link_planted_as_the_lock_is_not_followed(mbox: Path) -> None:
    # pop3.md 9, lock file attacks: CVE-2004-0984
    victim = mbox.with_name("victim")
    victim.write_text("precious")
    lock_path(mbox).symlink_to(victim)
    assert not lock_of(mbox).try_acquire()
    age(lock_path(mbox), 301)
    lock = lock_of(mbox)
    assert lock.try_acquire()
    lock.release()
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("plant", [os.mkfifo, os.mkdir])
def test_whatever_else_is_planted_as_the_lock_is_a_lock(mbox: Path, plant: Callable[[Path], None]) -> None:
    plant(lock_path(mbox))
    assert not lock_of(mbox).try_acquire()
    age(lock_path(mbox), 301)
    assert not lock_of(mbox).try_acquire()


def test_a_file_with_mail_in_it_never_becomes_a_stale_lock(mbox: Path) -> None:
    lock_path(mbox).write_text("From yasuhi\n" + "mail\n" * 300)
    age(lock_path(mbox), 301)
    assert not lock_of(mbox).try_acquire()
    assert lock_path(mbox).read_text().startswith("From yasuhi\n")


def test_a_full_disk_has_room_for_an_empty_lock(mbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    lock = lock_of(mbox)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        assert lock.try_acquire()
    assert not lock_of(mbox).try_acquire()
    lock.release()
    assert list(mbox.parent.glob("*lock")) == []


def test_a_lock_that_is_refreshed_does_not_age(mbox: Path) -> None:
    lock = lock_of(mbox)
    lock.try_acquire()
    age(lock_path(mbox), 301)
    lock.refresh()
    assert not lock_of(mbox).try_acquire()


def test_a_lock_that_was_broken_is_neither_refreshed_nor_removed(mbox: Path) -> None:
    lock = lock_of(mbox)
    lock.try_acquire()
    lock_path(mbox).unlink()
    lock_path(mbox).write_text("another's")
    age(lock_path(mbox), 10)
    before = lock_path(mbox).lstat().st_mtime
    lock.refresh()
    lock.release()
    assert lock_path(mbox).lstat().st_mtime == before


def replacing_rename(lock: Path, *, again: bool) -> Callable[[Path, Path], Path]:
    """A rename before which another breaks the lock and takes it anew, and after which, perhaps, a third takes it."""

    def rename(path: Path, target: Path) -> Path:
        lock.unlink()
        lock.write_text("another's")
        path.replace(target)
        if again:
            lock.write_text("a third's")
        return target

    return rename


@pytest.mark.parametrize(("again", "holder"), [(False, "another's"), (True, "a third's")])
def test_a_lock_that_was_taken_anew_is_put_back(
    mbox: Path, monkeypatch: pytest.MonkeyPatch, again: bool, holder: str
) -> None:
    lock_path(mbox).write_text("stale")
    age(lock_path(mbox), 301)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", replacing_rename(lock_path(mbox), again=again))
        assert not lock_of(mbox).try_acquire()
    assert lock_path(mbox).read_text() == holder
    assert list(mbox.parent.iterdir()) == [lock_path(mbox)]


def test_a_stale_lock_that_another_breaks_first_is_his(mbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock_path(mbox).write_text("stale")
    age(lock_path(mbox), 301)

    def rename(path: Path, target: Path) -> Path:
        path.unlink()
        raise FileNotFoundError

    monkeypatch.setattr(Path, "rename", rename)
    assert lock_of(mbox).try_acquire()


def test_what_is_not_held_is_neither_refreshed_nor_released(mbox: Path) -> None:
    lock = lock_of(mbox)
    lock.refresh()
    lock.release()
    assert list(mbox.parent.iterdir()) == []


def test_a_lock_that_another_removed_is_released_all_the_same(mbox: Path) -> None:
    lock = lock_of(mbox)
    lock.try_acquire()
    lock_path(mbox).unlink()
    lock.release()
    assert lock.try_acquire()
