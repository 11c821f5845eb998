import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from spool.errors import MailboxBusyError, MailboxUnavailableError
from spool.kernel_locks import LockKind, try_lock
from spool.mbox import locks
from spool.mbox.dotlock import DotLock
from spool.mbox.locks import MboxLocks, Timing

ALL = ("fcntl", "flock", "dotlock")


class Time:
    """A clock that moves only by sleeping, and what happens meanwhile."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.pauses: list[float] = []
        self.while_asleep: list[object] = []

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.pauses.append(seconds)
        for happening in self.while_asleep:
            assert callable(happening)
            happening()
        self.while_asleep.clear()

    @property
    def timing(self) -> Timing:
        return Timing(lambda: self.seconds, self.sleep, lambda: 0.5)


@pytest.fixture
def mbox(tmp_path: Path) -> Path:
    path = tmp_path / "Mailbox"
    path.write_bytes(b"")
    return path


def locks_of(mbox: Path, time: Time, kinds: tuple[str, ...] = ALL, uid: int | None = None) -> MboxLocks:
    return MboxLocks(mbox, os.getuid() if uid is None else uid, kinds, 30.0, 300.0, time.timing)


def free(mbox: Path) -> list[str]:
    """The locks that another program could take now."""
    with mbox.open("r+b") as file:
        kinds = [kind.value for kind in LockKind if try_lock(file.fileno(), kind)]
    return kinds if mbox.with_name("Mailbox.lock").exists() else [*kinds, "dotlock"]


@pytest.fixture(params=ALL)
def lock_of_another(request: pytest.FixtureRequest, mbox: Path) -> Iterator[Path]:
    """Something of another program's, removed when it is done, whose lock of each kind is in the way."""
    if request.param == "dotlock":
        path = mbox.with_name("Mailbox.lock")
        path.write_text("1")
        yield path
        return
    released = mbox.with_name("released")
    released.write_bytes(b"")
    with mbox.open("r+b") as file:
        try_lock(file.fileno(), LockKind(request.param))
        yield released


@pytest.mark.parametrize("kinds", [ALL, ALL[::-1], ("flock",), ("dotlock",), ("fcntl", "dotlock")])
def test_all_locks_are_held_and_then_released(mbox: Path, kinds: tuple[str, ...]) -> None:
    with locks_of(mbox, Time(), kinds).held():
        assert free(mbox) == [kind for kind in ALL if kind not in kinds]
    assert free(mbox) == list(ALL)
    assert list(mbox.parent.iterdir()) == [mbox]


def test_the_locks_are_released_when_the_work_fails(mbox: Path) -> None:
    with pytest.raises(RuntimeError), locks_of(mbox, Time()).held():
        raise RuntimeError
    assert free(mbox) == list(ALL)


def test_a_duplicate_of_the_descriptor_holds_no_lock(mbox: Path) -> None:
    with locks_of(mbox, Time()).held() as held:
        duplicate = os.dup(held.descriptor)
    assert free(mbox) == list(ALL)
    os.close(duplicate)


@pytest.mark.usefixtures("lock_of_another")
def test_a_lock_in_the_way_makes_it_busy_in_the_end(mbox: Path) -> None:
    time = Time()
    with pytest.raises(MailboxBusyError), locks_of(mbox, time).held():
        pass
    assert 30 <= time.seconds < 31
    assert time.pauses[:6] == [0.02, 0.04, 0.08, 0.16, 0.32, 0.5]
    assert max(time.pauses) == 0.5


def test_a_lock_that_becomes_free_is_taken(mbox: Path) -> None:
    lock, time = mbox.with_name("Mailbox.lock"), Time()
    lock.write_text("1")
    time.while_asleep.append(lock.unlink)
    with locks_of(mbox, time).held():
        assert free(mbox) == []


def test_between_attempts_no_lock_is_held(mbox: Path) -> None:
    lock, time, seen = mbox.with_name("Mailbox.lock"), Time(), []
    lock.write_text("1")
    time.while_asleep += [lambda: seen.append(free(mbox)), lock.unlink]
    with locks_of(mbox, time).held():
        assert seen == [["fcntl", "flock"]]


def test_a_missing_file_is_made_only_when_asked(mbox: Path) -> None:
    mbox.unlink()
    with pytest.raises(FileNotFoundError), locks_of(mbox, Time()).held():
        pass
    with locks_of(mbox, Time()).held(create=True):
        assert mbox.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("when", ["replaced", "removed"])
def test_a_file_that_was_replaced_is_opened_anew(mbox: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    new = mbox.with_name("new")
    new.write_bytes(b"new")
    time = Time()

    def replacing(descriptor: int, kind: LockKind) -> bool:
        if new.exists():
            mbox.unlink()
            if when == "replaced":
                new.rename(mbox)
            else:
                time.while_asleep.append(lambda: new.rename(mbox))
                monkeypatch.setattr(locks, "try_lock", try_lock)
        return try_lock(descriptor, kind)

    monkeypatch.setattr(locks, "try_lock", replacing)
    with locks_of(mbox, time).held() as held:
        assert os.read(held.descriptor, 10) == b"new"


def test_anothers_file_is_refused(mbox: Path) -> None:
    with pytest.raises(MailboxUnavailableError), locks_of(mbox, Time(), uid=os.getuid() + 1).held():
        pass
    assert free(mbox) == list(ALL)


def test_a_link_in_its_place_is_refused(mbox: Path) -> None:
    target = mbox.with_name("target")
    mbox.rename(target)
    mbox.symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"), locks_of(mbox, Time()).held():
        pass


def test_reading_under_the_locks_leaves_the_access_time(mbox: Path) -> None:
    mbox.write_bytes(b"x")
    os.utime(mbox, (1, 2))
    with locks_of(mbox, Time()).held() as held:
        os.read(held.descriptor, 1)
    assert mbox.stat().st_atime == 1


def test_a_directory_that_takes_no_dot_lock_is_an_error(mbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: object) -> bool:
        raise PermissionError

    monkeypatch.setattr(DotLock, "try_acquire", refuse)
    with pytest.raises(MailboxUnavailableError, match="dotlock_group"), locks_of(mbox, Time()).held():
        pass


def test_a_dot_lock_held_for_long_is_refreshed_each_minute(mbox: Path) -> None:
    lock, time = mbox.with_name("Mailbox.lock"), Time()
    with locks_of(mbox, time).held() as held:
        os.utime(lock, (1, 1))
        time.seconds += 59
        held.keep_alive()
        assert lock.stat().st_mtime == 1
        time.seconds += 1
        held.keep_alive()
        assert lock.stat().st_mtime > 1
        os.utime(lock, (1, 1))
        held.keep_alive()
        assert lock.stat().st_mtime == 1


def test_without_a_dot_lock_nothing_needs_refreshing(mbox: Path) -> None:
    time = Time()
    with locks_of(mbox, time, ("fcntl",)).held() as held:
        time.seconds += 100
        held.keep_alive()
