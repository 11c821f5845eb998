"""Running a user's program for one message, within limits.

The process that calls this is the user already, and does nothing else meanwhile: it forks. A program has a process
group of its own, the message as standard input, no open file of ours, an umask of 077, and the user's home as its
directory. What it prints is cut at ``OUTPUT_OCTETS_MAX`` and may reach the sender of the message in a bounce.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

OUTPUT_OCTETS_MAX: Final = 3000  # qmail-lspawn cuts reports there
TERM_SECONDS: Final = 5.0  # between TERM and KILL


@dataclass(frozen=True, slots=True)
class ProgramLimits:
    """What one program may use: wall-clock time, octets of address space, processes of its uid, open files."""

    seconds: float
    memory_octets: int
    processes: int
    files: int


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: ``status`` is its exit status, negative for a signal, None if its time was over."""

    status: int | None
    output: bytes


def run_program(
    arguments: tuple[bytes, ...],
    *,
    environment: Mapping[bytes, bytes],
    directory: int,
    message: int,
    limits: ProgramLimits,
) -> Ended:
    """Run a program to its end.

    When its time is over its process group gets TERM, and after ``TERM_SECONDS`` KILL. What it has started in the
    background goes on when it ends by itself.

    Args:
        arguments: the program's absolute path and its arguments.
        environment: all of it.
        directory: descriptor of the directory it starts in.
        message: descriptor of its standard input.
        limits: what it may use.

    Raises:
        OSError: it could not be started.
    """
    end_at = time.monotonic() + limits.seconds
    process = subprocess.Popen(  # noqa: S603 - running the user's command as the user is what this is for
        arguments,
        stdin=message,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        process_group=0,
        umask=0o077,
        restore_signals=True,
        preexec_fn=lambda: _limit(limits, directory),  # noqa: PLW1509 - this process has one thread
    )
    assert process.stdout is not None
    pidfd = os.pidfd_open(process.pid)
    try:
        with process.stdout:
            output = _read_until_end(process.stdout.fileno(), pidfd, end_at)
        if output.ended:
            return Ended(process.wait(), output.octets)
        _stop(process, pidfd)
        return Ended(None, output.octets)
    finally:
        os.close(pidfd)


@dataclass(slots=True)
class _Output:
    octets: bytes = b""
    ended: bool = False


def _read_until_end(pipe: int, pidfd: int, end_at: float) -> _Output:
    """Take what a program prints until it has ended or its time is over; children of its may keep the pipe open."""
    os.set_blocking(pipe, False)
    output = _Output()
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.register(pipe, select.POLLIN)
    while not output.ended and (left := end_at - time.monotonic()) > 0:
        ready = {descriptor for descriptor, _ in poll.poll(left * 1000)}
        output.ended = pidfd in ready  # what it printed before that is in the pipe by now
        if pipe in ready and not _take(pipe, output):
            poll.unregister(pipe)
    return output


def _take(pipe: int, output: _Output) -> bool:
    """Take all that is in the pipe at the moment; False if nothing will follow."""
    with contextlib.suppress(BlockingIOError):
        while piece := os.read(pipe, 65536):
            output.octets += piece[: OUTPUT_OCTETS_MAX - len(output.octets)]
        return False
    return True


def _stop(process: subprocess.Popen[bytes], pidfd: int) -> None:
    _signal_group(process, signal.SIGTERM)
    select.select([pidfd], [], [], TERM_SECONDS)
    # Before wait(), while the zombie still keeps the group's number.
    _signal_group(process, signal.SIGKILL)
    process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _limit(limits: ProgramLimits, directory: int) -> None:
    os.fchdir(directory)
    for kind, most in (
        (resource.RLIMIT_AS, limits.memory_octets),
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_NOFILE, limits.files),
        (resource.RLIMIT_CPU, max(1, int(limits.seconds))),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (limit, limit))
