"""Tests of ``delivery.program_keeper``: its steps, in this process; what it does to real programs is in
``test_programs``.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from delivery import program_keeper
from delivery.program_keeper import Command, Exited, NotStarted, ProgramLimits, TimeOver, received

LIMITS = ProgramLimits(seconds=20.0, memory_octets=1 << 30, processes=10_000, files=64)


class _Ended(BaseException):
    """A process would have ended here."""


class World:
    """Where a keeper lives that must not change the process it is tested in.

    ``looks`` says what each look at its descendants finds, the last of them for ever: one that has ended, 0 if some are
    left, None if there are none.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.killed: list[tuple[int, int]] = []
        self.looks: list[int | None] = [None]
        self.forks: list[int | OSError] = []
        waitpid = os.waitpid

        def look(pid: int, options: int) -> tuple[int, int]:
            if pid != -1:
                return waitpid(pid, options)
            found = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
            if found is None:
                raise ChildProcessError
            return found, 0

        monkeypatch.setattr(os, "waitpid", look)
        monkeypatch.setattr(os, "kill", lambda pid, number: self.killed.append((pid, number)))
        monkeypatch.setattr(os, "fork", self._fork)
        monkeypatch.setattr(os, "_exit", self._exit)
        for module, name in (
            (os, "setsid"),
            (os, "dup2"),
            (signal, "signal"),
            (gc, "disable"),
            (program_keeper, "_adopt_orphans"),
            (program_keeper, "_close_all_but"),
        ):
            monkeypatch.setattr(module, name, lambda *_: None)

    def _fork(self) -> int:
        outcome = self.forks.pop(0)
        if isinstance(outcome, OSError):
            raise outcome
        return outcome

    @staticmethod
    def _exit(_: int) -> NoReturn:
        raise _Ended


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield World(monkeypatch)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@pytest.fixture
def kept(world: World, tmp_path: Path) -> Callable[..., bytes]:
    """Keeps a program from its beginning to its end, and gives what was reported."""
    del world

    def keep(command: str, seconds: float = 20.0, *, waits: bool = True) -> bytes:
        ours, theirs = socket.socketpair()
        directory, nothing = os.open(tmp_path, os.O_RDONLY), os.open(os.devnull, os.O_RDWR)
        limits = ProgramLimits(seconds, LIMITS.memory_octets, LIMITS.processes, LIMITS.files)
        if not waits:
            ours.close()
        keeper = program_keeper._Keeper(
            Command((b"/bin/sh", b"-c", command.encode()), {}, directory, nothing, limits), nothing, theirs
        )
        keeper.keep()
        keeper._end.close()
        if not waits:
            return b""
        with ours:
            return ours.recv(64)

    return keep


def test_a_program_that_leaves_nothing_is_reported_and_that_is_all(world: World, kept: Callable[..., bytes]) -> None:
    assert received(kept("exit 3")) == Exited(3)
    assert world.killed == []


def test_what_a_program_leaves_is_ended_with_the_time(
    world: World, kept: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program_keeper, "TERM_SECONDS", 0.05)
    world.looks = [0]
    assert received(kept("exit 0", 2.0)) == Exited(0)
    assert world.killed == [(0, signal.SIGTERM)]


def test_a_program_whose_time_is_over_is_ended_and_then_reported(world: World, kept: Callable[..., bytes]) -> None:
    assert received(kept("exec sleep 1", 0.0)) == TimeOver()
    assert world.killed == [(0, signal.SIGTERM)]


def test_a_program_that_nobody_waits_for_is_ended(world: World, kept: Callable[..., bytes]) -> None:
    kept("exec sleep 1", waits=False)
    assert world.killed == [(0, signal.SIGTERM)]


def test_a_program_that_cannot_be_started_is_reported(world: World, tmp_path: Path) -> None:
    del world
    ours, theirs = socket.socketpair()
    descriptor = os.open(tmp_path, os.O_RDONLY)
    keeper = program_keeper._Keeper(Command((b"/no/such",), {}, descriptor, descriptor, LIMITS), descriptor, theirs)
    keeper.keep()
    with ours:
        assert received(ours.recv(64)) == NotStarted(errno.ENOENT)
    os.close(descriptor)


def test_the_keeper_is_nobodys_child_and_its_group_ends_with_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bool] = []
    monkeypatch.setattr(program_keeper._Keeper, "keep", lambda _: kept.append(True))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        world.forks = [0]
        with pytest.raises(_Ended):
            program_keeper._become_keeper(Command((), {}, 0, 0, LIMITS), 0, theirs)
        assert (kept, world.killed) == ([True], [(0, signal.SIGKILL)])
        world.forks = [4711]
        with pytest.raises(_Ended):
            program_keeper._become_keeper(Command((), {}, 0, 0, LIMITS), 0, theirs)
        assert kept == [True]


def test_a_second_process_that_cannot_be_had_is_reported(world: World) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        world.forks = [OSError(errno.EAGAIN, "no")]
        with pytest.raises(_Ended):
            program_keeper._become_keeper(Command((), {}, 0, 0, LIMITS), 0, theirs)
        assert received(ours.recv(64)) == NotStarted(errno.EAGAIN)


def test_no_process_at_all_is_an_error(world: World) -> None:
    world.forks = [OSError(errno.EAGAIN, "no")]
    with pytest.raises(OSError, match="no"):
        program_keeper.start_keeper(Command((), {}, 0, 0, LIMITS), 0)


def test_the_first_process_becomes_the_keeper(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def become(*_: object) -> NoReturn:
        raise _Ended

    monkeypatch.setattr(program_keeper, "_become_keeper", become)
    world.forks = [0]
    with pytest.raises(_Ended):
        program_keeper.start_keeper(Command((), {}, 0, 0, LIMITS), 0)


def test_nothing_received_means_that_the_keeper_was_killed() -> None:
    assert received(b"") == Exited(-signal.SIGKILL)


def test_descendants_are_waited_for_until_the_last_one_ends(world: World) -> None:
    world.looks = [0]
    assert program_keeper._all_end_within(0.01) is False
    world.looks = [4711, 4712, None]
    assert program_keeper._all_end_within(0.0) is True


def test_orphans_are_adopted(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, ...]] = []

    class Library:
        def __init__(self, _: None) -> None: ...

        def prctl(self, *arguments: int) -> None:
            calls.append(arguments)

    monkeypatch.setattr(ctypes, "CDLL", Library)
    program_keeper._adopt_orphans()
    assert calls == [(36, 1, 0, 0, 0)]


def test_all_descriptors_but_its_own_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "closerange", lambda first, end: closed.append((first, end)))
    program_keeper._close_all_but({9, 5})
    assert closed == [(3, 5), (6, 9), (10, 2**20)]


def test_no_limit_is_above_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    hard = {resource.RLIMIT_NOFILE: 32, resource.RLIMIT_CPU: 600}
    set_to: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (0, hard.get(kind, resource.RLIM_INFINITY)))
    monkeypatch.setattr(resource, "setrlimit", set_to.__setitem__)
    monkeypatch.setattr(os, "fchdir", lambda descriptor: None)
    program_keeper._limit(LIMITS, 7)
    assert set_to[resource.RLIMIT_NOFILE] == (32, 32)
    assert set_to[resource.RLIMIT_CPU] == (20, 20)
    assert set_to[resource.RLIMIT_AS] == (1 << 30, 1 << 30)
