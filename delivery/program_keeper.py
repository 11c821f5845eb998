"""The keeper of a program: a process between a delivery and the program it runs, which ends the program in time.

Whoever delivers may be killed, or stop for ever on a disk; what they have started must not go on without end then. So
the keeper knows the time limit itself, and sees by its socket that nobody waits any more. It leads the process group
that the program and its children are in: while it lives the group's number means nothing else, and its last act is to
kill the group with itself in it.

=====================================  ==========================================================================
the program ends in its time           the keeper reports how; what the program left in its group may go on for the
                                       rest of the time
the time is over, or nobody waits      TERM to the group, and KILL once all are gone or ``TERM_SECONDS`` have passed
=====================================  ==========================================================================

What has left the group, as a daemon does, goes on: a sendmail that delivers in the background is not to be stopped.
The keeper has the user's rights, so a user who wants to can stop it; the limit on their processes is what holds then.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NoReturn, TypeAlias

TERM_SECONDS: Final = 5.0  # between TERM and KILL
_CAUGHT: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_HIGHEST_DESCRIPTOR: Final = 2**20
_PR_SET_CHILD_SUBREAPER: Final = 36  # linux/prctl.h
_REPORT: Final = struct.Struct("=ci")


@dataclass(frozen=True, slots=True)
class ProgramLimits:
    """What one program may use: wall-clock time, octets of address space, processes of its uid, open files."""

    seconds: float
    memory_octets: int
    processes: int
    files: int


@dataclass(frozen=True, slots=True)
class Command:
    """What is run.

    Attributes:
        arguments: the program's absolute path and its arguments.
        environment: all of it.
        directory: descriptor of the directory it starts in.
        message: descriptor of its standard input.
        limits: what it may use.
    """

    arguments: tuple[bytes, ...]
    environment: Mapping[bytes, bytes]
    directory: int
    message: int
    limits: ProgramLimits


@dataclass(frozen=True, slots=True)
class Exited:
    """The program has ended by itself: its exit status, negative for a signal."""

    status: int


@dataclass(frozen=True, slots=True)
class TimeOver:
    """The program's group was stopped."""


@dataclass(frozen=True, slots=True)
class NotStarted:
    """The program could not be started: an ``errno``."""

    number: int


Report: TypeAlias = Exited | TimeOver | NotStarted


def start_keeper(command: Command, output: int) -> socket.socket:
    """Start a keeper, which starts the program.

    The process that calls this has one thread. The keeper is no child of it: nobody has to wait for its end.

    Args:
        command: what it runs.
        output: descriptor that the program writes to.

    Returns:
        Where ``received`` finds the report. Once it is closed, nobody waits any more.

    Raises:
        OSError: there is no process or descriptor to be had now.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            between = os.fork()
        except OSError:
            ours.close()
            raise
        if between == 0:
            _become_keeper(command, output, theirs)
    os.waitpid(between, 0)
    return ours


def received(octets: bytes) -> Report:
    """Understand what was received over the socket: one report, or nothing if the keeper was killed."""
    if len(octets) != _REPORT.size:
        return Exited(-signal.SIGKILL)
    kind, number = _REPORT.unpack(octets)
    match kind:
        case b"E":
            return Exited(number)
        case b"N":
            return NotStarted(number)
        case _:
            return TimeOver()


def _become_keeper(command: Command, output: int, end: socket.socket) -> NoReturn:
    """Fork once more and end, so that the keeper is left to init."""
    try:
        if os.fork() == 0:
            os.setsid()
            try:
                _Keeper(command, output, end).keep()
            finally:
                os.kill(0, signal.SIGKILL)
    except OSError as error:
        _tell(end, NotStarted(error.errno or 0))
    finally:
        os._exit(0)


class _Keeper:
    """The keeper's life. Its process has a copy of everything that the delivery had open, and gives that up first."""

    def __init__(self, command: Command, output: int, end: socket.socket) -> None:
        self._command = command
        self._output = output
        self._end = end
        self._end_at = time.monotonic() + command.limits.seconds

    def keep(self) -> None:
        """Run the program until it or its time ends. What is in the group when this returns is to be killed."""
        self._leave_the_delivery()
        try:
            process = self._start()
        except OSError as error:
            _tell(self._end, NotStarted(error.errno or 0))
            return
        in_time = self._wait(process.pid)
        if in_time:
            _tell(self._end, Exited(process.wait()))
            if _all_end_within(self._end_at - time.monotonic()):
                return
        os.kill(0, signal.SIGTERM)
        _all_end_within(TERM_SECONDS)
        if not in_time:
            _tell(self._end, TimeOver())

    def _leave_the_delivery(self) -> None:
        gc.disable()  # what the delivery had open would be closed once more, by numbers that are others' by then
        # What the delivery's process does about signals is over: its wake-up descriptor will be something else's.
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in _CAUGHT:
            # Caught, not ignored: it goes to ourselves, too, and a program begins with what is not ignored.
            signal.signal(number, lambda *_: None)
        _adopt_orphans()
        command, end, output = self._command, self._end, self._output
        # Above the standard ones, in case the delivery had closed some of those.
        message, directory, output, report = (
            fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 3)
            for each in (command.message, command.directory, output, end.fileno())
        )
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for standard in range(3):  # whoever reads what the delivery prints must not wait for us
            os.dup2(nothing, standard)
        _close_all_but({message, directory, output, report})
        self._command = Command(command.arguments, command.environment, directory, message, command.limits)
        self._output = output
        end.detach()
        self._end = socket.socket(fileno=report)

    def _start(self) -> subprocess.Popen[bytes]:
        command = self._command
        process = subprocess.Popen(  # noqa: S603 - running the user's command as the user is what this is for
            command.arguments,
            stdin=command.message,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env=command.environment,
            umask=0o077,
            preexec_fn=lambda: _limit(command.limits, command.directory),  # noqa: PLW1509 - this process has one thread
        )
        for descriptor in (command.message, command.directory, self._output):
            os.close(descriptor)
        return process

    def _wait(self, pid: int) -> bool:
        """Wait until the program ends; false if its time is over or nobody waits for it."""
        pidfd = os.pidfd_open(pid)
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        poll.register(self._end, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(max(0.0, self._end_at - time.monotonic()) * 1000)}
        return pidfd in ready


def _tell(end: socket.socket, report: Report) -> None:
    match report:
        case Exited(number):
            octets = _REPORT.pack(b"E", number)
        case NotStarted(number):
            octets = _REPORT.pack(b"N", number)
        case _:
            octets = _REPORT.pack(b"T", 0)
    with suppress(OSError):  # nobody waits any more
        end.send(octets)


def _adopt_orphans() -> None:
    """Become the parent of every descendant that loses its own, so that we see when the last one ends."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _all_end_within(seconds: float) -> bool:
    """Wait until no descendant is left; false if there are some after ``seconds``."""
    end_at = time.monotonic() + seconds
    # Blocked before we look, so that none ends unnoticed between looking and waiting.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    try:
        while True:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            if (left := end_at - time.monotonic()) <= 0:
                return False
            signal.sigtimedwait({signal.SIGCHLD}, left)
    except ChildProcessError:
        return True


def _close_all_but(kept: set[int]) -> None:
    start = 3
    for descriptor in sorted(kept):
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, _HIGHEST_DESCRIPTOR)


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
