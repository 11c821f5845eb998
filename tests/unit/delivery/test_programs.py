"""Tests of ``delivery.programs``, with the system's own programs."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery import programs
from delivery.messages import standard_input
from delivery.programs import OUTPUT_OCTETS_MAX, Ended, ProgramLimits, run_program

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


def runs(process: int) -> bool:
    """Whether a process is there and not merely waiting for its parent to take note of its end."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


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


def test_no_descriptor_of_ours_is_open_in_it(directory: int) -> None:
    ended = run(directory, "exec ls /proc/self/fd")
    assert set(ended.output.split()) <= {b"0", b"1", b"2", b"3"}  # the last is ls's own


def test_when_its_time_is_over_its_whole_group_ends(directory: int, tmp_path: Path) -> None:
    began = time.monotonic()
    ended = run(
        directory,
        "trap '' TERM; sleep 600 & echo $! > background; exec sleep 600",
        limits=ProgramLimits(0.3, 1 << 30, 10_000, 64),
    )
    assert ended.status is None
    assert time.monotonic() - began < 30
    assert not runs(int((tmp_path / "background").read_text()))


def test_a_child_in_the_background_does_not_hold_up_the_delivery(directory: int, tmp_path: Path) -> None:
    ended = run(directory, "sleep 600 & echo $! > background; echo done")
    assert (ended.status, ended.output) == (0, b"done\n")
    os.kill(int((tmp_path / "background").read_text()), 9)


def test_memory_files_and_core_are_limited(directory: int) -> None:
    ended = run(directory, "ulimit -v; ulimit -n; ulimit -c; ulimit -t")
    assert ended.output.split() == [str((1 << 30) // 1024).encode(), b"64", b"0", b"20"]


def test_no_limit_is_above_our_own(directory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    hard = {resource.RLIMIT_NOFILE: 32, resource.RLIMIT_CPU: 600}
    set_to: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (0, hard.get(kind, resource.RLIM_INFINITY)))
    monkeypatch.setattr(resource, "setrlimit", set_to.__setitem__)
    monkeypatch.setattr(os, "fchdir", lambda descriptor: None)
    programs._limit(LIMITS, directory)
    assert set_to[resource.RLIMIT_NOFILE] == (32, 32)
    assert set_to[resource.RLIMIT_CPU] == (20, 20)
    assert set_to[resource.RLIMIT_AS] == (1 << 30, 1 << 30)


def test_what_cannot_be_started_is_an_error(directory: int) -> None:
    with pytest.raises(OSError, match="No such file"):
        run_program((b"/no/such",), environment={}, directory=directory, message=0, limits=LIMITS)
