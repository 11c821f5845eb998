from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from spool.errors import MailboxUnavailableError
from spool.kernel_locks import LockKind, open_locked, try_lock, unlock

BOTH_KINDS = pytest.mark.parametrize("kind", list(LockKind))


@pytest.fixture
def two_openings(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Two open files of one file, in one process."""
    path = tmp_path / "file"
    first, second = (os.open(path, os.O_RDWR | os.O_CREAT, 0o600) for _ in range(2))
    yield first, second
    os.close(first)
    os.close(second)


@BOTH_KINDS
def test_a_lock_keeps_out_another_opening_in_the_same_process(two_openings: tuple[int, int], kind: LockKind) -> None:
    first, second = two_openings
    assert try_lock(first, kind)
    assert not try_lock(second, kind)


@BOTH_KINDS
def test_an_unlocked_file_can_be_locked_by_another(two_openings: tuple[int, int], kind: LockKind) -> None:
    first, second = two_openings
    assert try_lock(first, kind)
    unlock(first, kind)
    assert try_lock(second, kind)


def test_a_classic_fcntl_lock_of_another_process_is_respected(two_openings: tuple[int, int]) -> None:
    first, _ = two_openings
    locked, release = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - ends with the process
        fcntl.lockf(first, fcntl.LOCK_EX)
        os.write(locked[1], b"x")
        os.read(release[0], 1)
        os._exit(0)
    os.read(locked[0], 1)
    try:
        assert not try_lock(first)
    finally:
        os.write(release[1], b"x")
        os.waitpid(child, 0)
        for descriptor in (*locked, *release):
            os.close(descriptor)
    assert try_lock(first)


@BOTH_KINDS
def test_a_file_that_cannot_be_locked_is_unavailable(kind: LockKind, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("spool.kernel_locks.fcntl.fcntl", refuse)
    monkeypatch.setattr("spool.kernel_locks.fcntl.flock", refuse)
    with pytest.raises(MailboxUnavailableError, match="No locks available"):
        try_lock(0, kind)


def test_a_lock_file_is_made_for_its_owner_only(tmp_path: Path) -> None:
    descriptor = open_locked(tmp_path / "lock")
    assert descriptor is not None
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
    os.close(descriptor)


def test_a_locked_file_is_not_opened_again_before_it_is_closed(tmp_path: Path) -> None:
    first = open_locked(tmp_path / "lock")
    assert first is not None
    assert open_locked(tmp_path / "lock") is None
    os.close(first)
    second = open_locked(tmp_path / "lock")
    assert second is not None
    os.close(second)


def test_a_link_planted_as_lock_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        open_locked(tmp_path / "lock")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("replaced", [True, False])
def test_a_lock_on_a_file_that_was_removed_meanwhile_is_taken_anew(
    tmp_path: Path, replaced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock"
    tried: list[int] = []

    def remove_first(descriptor: int) -> bool:
        if not tried:
            path.unlink()
            if replaced:
                path.touch()
        tried.append(descriptor)
        return try_lock(descriptor)

    monkeypatch.setattr("spool.kernel_locks.try_lock", remove_first)
    descriptor = open_locked(path)
    assert descriptor is not None
    assert len(tried) == 2
    assert os.path.samestat(os.fstat(descriptor), path.stat())
    os.close(descriptor)


def test_a_lock_file_that_is_removed_again_and_again_counts_as_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def remove(descriptor: int) -> bool:
        (tmp_path / "lock").unlink()
        return True

    monkeypatch.setattr("spool.kernel_locks.try_lock", remove)
    assert open_locked(tmp_path / "lock") is None


def test_an_unlockable_file_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []

    def refuse(descriptor: int) -> bool:
        opened.append(descriptor)
        raise MailboxUnavailableError("no locks here")

    monkeypatch.setattr("spool.kernel_locks.try_lock", refuse)
    with pytest.raises(MailboxUnavailableError):
        open_locked(tmp_path / "lock")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened[0])
