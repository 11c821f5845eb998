"""Runs an operation again and again, and cuts the power after its first, second, … file operation.

It counts as ``tests.crash.stopping`` does, but what had not been synced when the process ended is lost, all of it or a
part: ``tests.crash.shadow`` is the model, and says what it leaves out. An operation that completed is followed by a
power cut as well: what it promised to have on disk must be there in every variant.
"""

from __future__ import annotations

import fcntl
import os
import random
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from spool import system_calls
from tests.crash.shadow import Entry, Fate, Fates, NameChange, Node, Shadow
from tests.crash.stopping import STOPS_MAX, run_in_child

State = TypeVar("State")

_SYSTEMATIC: Final = (
    Fates(name=lambda: False, octets=lambda: Fate.LOST),
    Fates(name=lambda: True, octets=lambda: Fate.LOST),
    Fates(name=lambda: True, octets=lambda: Fate.ZEROS),
    Fates(name=lambda: False, octets=lambda: Fate.KEPT),
)
VARIANTS: Final = len(_SYSTEMATIC) + 2

_HARMLESS: Final = frozenset(
    {
        *("chmod", "chown", "close", "fchmod", "fchown", "fspath", "fstat", "listdir", "lstat", "pread", "read"),
        *("readlink", "scandir", "stat", "strerror", "utime"),
    }
)


@dataclass(frozen=True, slots=True)
class Cut(Generic[State]):
    """What one power cut left.

    Attributes:
        state: what the operation worked on; the tree in its place is what the disk holds.
        allowed: how many file operations were made.
        variant: which fate what was not synced had: 0 all lost, 1 names kept without octets, 2 names kept and zeros for
            octets, 3 octets kept without names, from 4 on each change kept or lost by chance, the same in every run.
        completed: whether the operation had returned.
    """

    state: State
    allowed: int
    variant: int
    completed: bool


def each_power_cut(
    prepare: Callable[[int], State],
    arrange: Callable[[State], Callable[[], object]],
    *,
    root: Callable[[State], Path],
    variants: int = VARIANTS,
    step: int = 1,
) -> Iterator[Cut[State]]:
    """Cut the power after each file operation of an operation in turn, and at last after it completed.

    Args:
        prepare: makes a fresh state, the same each time; given the number of the run, from 1. All of it is on disk.
        arrange: does in the child what comes before the operation, which is on disk too, and returns the operation.
        root: names the directory of a state in which the operation makes all its changes of names.
        variants: how many power cuts there are at each place.
        step: with 2, cut after every second file operation only, and so on.
    """
    runs = count(1)
    for allowed in count(1, step):
        assert allowed <= STOPS_MAX, "the operation does not come to an end"
        completed = False
        for variant in range(variants):
            state = prepare(next(runs))
            completed = cut_power(partial(arrange, state), allowed, root=root(state), variant=variant)
            yield Cut(state, allowed, variant, completed)
        if completed:
            return


def cut_power(arrange: Callable[[], Callable[[], object]], allowed: int, *, root: Path, variant: int) -> bool:
    """Run an operation, cut the power after ``allowed`` file operations, and put in place what is on disk then.

    Args:
        arrange: as in ``each_power_cut``, but for its state.
        allowed: the file operations the operation may make.
        root: the directory in which it makes all its changes of names.
        variant: as in ``Cut``.

    Returns:
        Whether the operation had returned.
    """
    return run_in_child(arrange, allowed, recorder=partial(_RecordingOs, root, fates_of(allowed, variant)))


def fates_of(allowed: int, variant: int) -> Fates:
    """Return what becomes of the changes in one variant of the power cut after ``allowed`` file operations."""
    if variant < len(_SYSTEMATIC):
        return _SYSTEMATIC[variant]
    chance = random.Random(f"{allowed} {variant}")
    return Fates(name=lambda: chance.random() < 0.5, octets=lambda: chance.choice(list(Fate)))


class _RecordingOs:
    """An ``os`` that tells a ``Shadow`` what is changed, and refuses functions it does not know."""

    def __init__(self, root: Path, fates: Fates) -> None:
        self._shadow = Shadow(root)
        self._fates = fates

    def end(self) -> None:
        """Cut the power."""
        self._shadow.cut(self._fates)

    def __getattr__(self, name: str) -> Any:
        value = getattr(os, name)
        if name in _HARMLESS or not callable(value):
            return value
        raise AssertionError(f"tests.crash.losing does not know what os.{name} changes")

    # -- octets -------------------------------------------------------------------------------------------------------

    def open(self, path: str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        assert not flags & os.O_TRUNC, "what is cut off by opening would not be noticed"
        entry = self._entry(path, dir_fd)
        made = flags & os.O_CREAT and entry is not None and _status(path, dir_fd) is None
        descriptor = os.open(path, flags, mode, dir_fd=dir_fd)
        if made and entry is not None:
            self._shadow.change_names(NameChange({entry: self._shadow.add(os.fstat(descriptor))}))
        return descriptor

    def write(self, descriptor: int, data: bytes) -> int:
        appends = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_APPEND
        offset = os.fstat(descriptor).st_size if appends else os.lseek(descriptor, 0, os.SEEK_CUR)
        return self._changed(descriptor, lambda: os.write(descriptor, data), offset, data)

    def pwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        return self._changed(descriptor, lambda: os.pwrite(descriptor, data, offset), offset, data)

    def _changed(self, descriptor: int, write: Callable[[], int], offset: int, data: bytes) -> int:
        node = self._before_writing(descriptor)
        written = write()
        if node is not None:
            self._shadow.write(node, offset, bytes(data[:written]))
        return written

    def ftruncate(self, descriptor: int, octets: int) -> None:
        node = self._before_writing(descriptor)
        os.ftruncate(descriptor, octets)
        if node is not None:
            self._shadow.truncate(node, octets)

    def fsync(self, descriptor: int) -> None:
        # Not done: what the shadow knows of it is what matters, and disks are slow.
        status = os.fstat(descriptor)
        node = self._shadow.find(status)
        if node is None:
            return
        if node.is_directory:
            self._shadow.sync_names(node)
        else:
            self._shadow.sync_octets(node, partial(_read, descriptor), status)

    fdatasync = fsync

    def sync_file_system(self, descriptor: int) -> None:
        assert self._shadow.find(os.fstat(descriptor)) is not None, "another tree may be on another file system"
        self._shadow.sync_all()

    def _before_writing(self, descriptor: int) -> Node | None:
        status = os.fstat(descriptor)
        node = self._shadow.find(status)
        if node is not None:
            self._shadow.before_writing(node, partial(_read, descriptor), status)
        return node

    # -- names --------------------------------------------------------------------------------------------------------

    def mkdir(self, path: str | Path, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        os.mkdir(path, mode, dir_fd=dir_fd)
        self._appeared(path, dir_fd)

    def symlink(self, target: str, path: str | Path, *, dir_fd: int | None = None) -> None:
        os.symlink(target, path, dir_fd=dir_fd)
        self._appeared(path, dir_fd, target=target)

    def _appeared(self, path: str | Path, dir_fd: int | None, *, target: str | None = None) -> None:
        entry, status = self._entry(path, dir_fd), _status(path, dir_fd)
        if entry is not None and status is not None:
            self._shadow.change_names(NameChange({entry: self._shadow.add(status, target=target)}))

    def link(
        self,
        source: str | Path,
        target: str | Path,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        os.link(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, follow_symlinks=follow_symlinks)
        entry = self._entry(target, dst_dir_fd)
        if entry is not None:
            self._shadow.change_names(NameChange({entry: self._node(target, dst_dir_fd)}))

    def rename(
        self, source: str | Path, target: str | Path, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None
    ) -> None:
        old, new = self._entry(source, src_dir_fd), self._entry(target, dst_dir_fd)
        before, replaced = _status(source, src_dir_fd), _status(target, dst_dir_fd)
        if before is not None and replaced is not None and os.path.samestat(before, replaced):
            os.rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)  # which does nothing
            return
        self._before_leaving(target, dst_dir_fd)
        os.rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        if old is None and new is None:
            return
        assert old is not None, f"{source} is outside of the tree that is watched"
        assert new is not None, f"{target} is outside of the tree that is watched"
        node = self._node(target, dst_dir_fd)
        if old.directory is new.directory or (node is not None and node.is_directory):
            self._shadow.change_names(NameChange({old: None, new: node}))
        else:
            arrival = NameChange({new: node})
            self._shadow.change_names(arrival)
            self._shadow.change_names(NameChange({old: None}, needs=arrival))

    def exchange(self, one: str | Path, other: str | Path) -> None:
        system_calls.exchange(Path(one), Path(other))
        first, second = self._entry(one, None), self._entry(other, None)
        assert first is not None, f"{one} is outside of the tree that is watched"
        assert second is not None, f"{other} is outside of the tree that is watched"
        self._shadow.change_names(NameChange({first: self._node(one, None), second: self._node(other, None)}))

    def unlink(self, path: str | Path, *, dir_fd: int | None = None) -> None:
        self._before_leaving(path, dir_fd)
        os.unlink(path, dir_fd=dir_fd)
        self._left(path, dir_fd)

    def rmdir(self, path: str | Path, *, dir_fd: int | None = None) -> None:
        os.rmdir(path, dir_fd=dir_fd)
        self._left(path, dir_fd)

    def _left(self, path: str | Path, dir_fd: int | None) -> None:
        entry = self._entry(path, dir_fd)
        if entry is not None:
            self._shadow.change_names(NameChange({entry: None}))

    def _before_leaving(self, path: str | Path, dir_fd: int | None) -> None:
        status = _status(path, dir_fd)
        node = self._shadow.find(status) if status is not None else None
        if node is None or status is None or not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            return
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=dir_fd)
        try:
            self._shadow.before_writing(node, partial(_read, descriptor), status)
        finally:
            os.close(descriptor)

    def _node(self, path: str | Path, dir_fd: int | None) -> Node | None:
        status = _status(path, dir_fd)
        assert status is not None
        node = self._shadow.find(status)
        assert node is not None, f"{path} was not made through spool.durable"
        return node

    def _entry(self, path: str | Path, dir_fd: int | None) -> Entry | None:
        """Name what a path leads to, None if that is outside of the tree."""
        parent, name = os.path.split(os.fspath(path))
        if not name:
            return None
        directory = dir_fd if dir_fd is not None and not parent else parent or "."
        node = self._shadow.find(os.stat(directory, dir_fd=dir_fd if parent else None))
        return None if node is None else Entry(node, name)


def _status(path: str | Path, dir_fd: int | None) -> os.stat_result | None:
    try:
        return os.stat(path, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _read(descriptor: int) -> bytes:
    # Opened anew: the descriptor may be for writing only, and its position is not ours to move.
    return Path(f"/proc/self/fd/{descriptor}").read_bytes()
