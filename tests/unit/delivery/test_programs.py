"""Tests of ``delivery.programs``, with the system's own programs."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from delivery import program_keeper, programs
from delivery.messages import standard_input
from delivery.program_keeper import ProgramLimits, TimeOver
from delivery.programs import OUTPUT_OCTETS_MAX, Ended, run_program

IN_BACKGROUND = "sleep 600 & echo $! > background"
SHORT = ProgramLimits(seconds=1.0, memory_octets=1 << 30, processes=10_000, files=64)
LIMITS = ProgramLimits(seconds=20.0, memory_octets=1 << 30, processes=10_000, files=64)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def run(directory: int, command: str, *, limits: ProgramLimits = LIMITS, message: bytes = b"message\n") -> Ended:
    stdin = standard_input([message])
    try:
        return run_program(
            (b"/bin/sh", b"-c", command.encode()),
            environment={b"PATH": b"/usr/bin:/bin", b"EXT": b"x; echo evil"},
            directory=directory,
            message=stdin,
            limits=limits,
        )
    finally:
        os.close(stdin)


def await_end(process: int) -> None:
    """Wait until a process that is no child of ours has ended."""
    try:
        pidfd = os.pidfd_open(process)
    except ProcessLookupError:
        return
    ended, _, _ = select.select([pidfd], [], [], 60)
    os.close(pidfd)
    assert ended, f"process {process} goes on"


def awaited(file: Path) -> int:
    """The number that a program writes into a file, as soon as it is there."""
    end = time.monotonic() + 60
    while not (file.exists() and (text := file.read_text()).endswith("\n")):
        assert time.monotonic() < end
        time.sleep(0.01)
    return int(text)


def test_a_program_has_the_message_the_environment_and_the_home(directory: int, tmp_path: Path) -> None:
    ended = run(directory, 'cat; pwd; umask; echo "$EXT"; env | wc -l')
    assert ended.status == 0
    lines = ended.output.decode().splitlines()
    assert lines[:4] == ["message", str(tmp_path), "0077", "x; echo evil"]
    assert int(lines[4]) <= 5  # PATH, EXT, and what the shell sets itself


@pytest.mark.parametrize(("command", "status"), [("exit 99", 99), ("kill -9 $$", -9), ("exit 0", 0)])
def test_it_says_how_a_program_ended(directory: int, command: str, status: int) -> None:
    assert run(directory, command).status == status


def test_output_is_cut(directory: int) -> None:
    ended = run(directory, "head -c 1000000 /dev/zero | tr '\\0' x; exit 3")
    assert (ended.status, ended.output) == (3, b"x" * OUTPUT_OCTETS_MAX)


def test_what_prints_faster_than_we_read_does_not_hold_us_up(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    reads = 0

    def read(descriptor: int, octets: int, real: Callable[[int, int], bytes] = os.read) -> bytes:
        nonlocal reads
        reads += 1
        assert reads < 100
        os.write(writing, b"y\n")  # there is always more
        return real(descriptor, octets)

    monkeypatch.setattr(os, "read", read)
    with contextlib.closing(programs._Output(reading)) as output:
        assert output.take()
        assert output.octets == b"y\n"
    os.close(writing)


def test_no_descriptor_of_ours_is_open_in_it(directory: int) -> None:
    ended = run(directory, "exec ls /proc/self/fd")
    assert set(ended.output.split()) <= {b"0", b"1", b"2", b"3"}  # the last is ls's own


def test_when_its_time_is_over_its_whole_group_ends(directory: int, tmp_path: Path) -> None:
    ended = run(directory, f"{IN_BACKGROUND}; exec sleep 600", limits=SHORT)
    assert ended.status is None
    await_end(awaited(tmp_path / "background"))


@pytest.mark.parametrize("command", ["exit 0", "exec sleep 600"])
def test_its_keeper_ends_although_the_delivery_is_woken_by_signals(
    directory: int, tmp_path: Path, command: str
) -> None:
    # As a process with a reactor is: the keeper has a copy of the handlers, and the descriptor is closed in it.
    awake, asleep = socket.socketpair()
    asleep.setblocking(False)
    before = signal.set_wakeup_fd(asleep.fileno())
    handler = signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        run(directory, f"cut -d' ' -f5 /proc/self/stat > keeper; {command}", limits=SHORT)
    finally:
        signal.signal(signal.SIGCHLD, handler)
        signal.set_wakeup_fd(before)
        awake.close()
        asleep.close()
    await_end(awaited(tmp_path / "keeper"))


def test_what_ignores_term_is_killed(directory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_keeper, "TERM_SECONDS", 0.1)
    ended = run(directory, f"trap '' TERM; {IN_BACKGROUND}; echo begun; exec sleep 600", limits=SHORT)
    assert ended == Ended(None, b"begun\n")
    await_end(awaited(tmp_path / "background"))


def test_what_has_left_the_group_goes_on(directory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_keeper, "TERM_SECONDS", 0.1)
    ended = run(directory, "setsid sh -c 'echo $$ > background; exec sleep 600' & exec sleep 600", limits=SHORT)
    assert ended.status is None
    os.kill(awaited(tmp_path / "background"), signal.SIGKILL)


def test_when_the_delivery_is_killed_its_programs_group_ends(directory: int, tmp_path: Path) -> None:
    delivery = os.fork()
    if delivery == 0:
        run(directory, f"{IN_BACKGROUND}; echo $$ > program; exec sleep 600")
        os._exit(1)
    started = awaited(tmp_path / "program"), awaited(tmp_path / "background")
    os.kill(delivery, signal.SIGKILL)
    os.waitpid(delivery, 0)
    for process in started:
        await_end(process)


def test_a_program_begins_with_signals_as_they_are_by_default(directory: int) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as in children of the service
    try:
        assert run(directory, "kill -TERM $$; echo survived") == Ended(-signal.SIGTERM, b"")
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_program_that_kills_its_keeper_counts_as_killed(directory: int) -> None:
    assert run(directory, "kill -9 $PPID; sleep 600 & kill -9 $! $$").status == -signal.SIGKILL


def test_a_keeper_that_does_not_report_is_not_waited_for(
    directory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "LATE_SECONDS", 0.0)
    ended = run(directory, "kill -STOP $PPID; echo $PPID > keeper; exec sleep 600", limits=SHORT)
    assert ended.status is None
    os.killpg(awaited(tmp_path / "keeper"), signal.SIGKILL)


def test_a_keeper_that_does_not_end_is_not_waited_for() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"T\0\0\0\0")
        assert programs._last(ours, time.monotonic()) == TimeOver()


def test_a_child_in_the_background_does_not_hold_up_the_delivery(directory: int, tmp_path: Path) -> None:
    ended = run(directory, f"{IN_BACKGROUND}; echo done")
    assert (ended.status, ended.output) == (0, b"done\n")
    os.kill(awaited(tmp_path / "background"), signal.SIGKILL)


def test_a_child_in_the_background_ends_with_the_time(directory: int, tmp_path: Path) -> None:
    assert run(directory, IN_BACKGROUND, limits=SHORT).status in {0, None}  # None on a slow machine
    await_end(awaited(tmp_path / "background"))


def test_output_is_read_while_nothing_else_happens(directory: int) -> None:
    ended = run(directory, "exec >&- 2>&-; exit 7")
    assert ended == Ended(7, b"")


def test_memory_files_and_core_are_limited(directory: int) -> None:
    ended = run(directory, "ulimit -v; ulimit -n; ulimit -c; ulimit -t")
    assert ended.output.split() == [str((1 << 30) // 1024).encode(), b"64", b"0", b"20"]


def test_what_cannot_be_started_is_an_error(directory: int) -> None:
    with pytest.raises(OSError, match="No such file"):
        run_program((b"/no/such",), environment={}, directory=directory, message=0, limits=LIMITS)
