"""Running a user's program for one message, within limits.

The process that calls this is the user already, and does nothing else meanwhile: it forks. A program has a process
group of its own, which ends in time whatever becomes of us (``delivery.program_keeper``), the message as standard
input, no open file of ours, an umask of 077, and the user's home as its directory. What it prints is cut at
``OUTPUT_OCTETS_MAX`` and may reach the sender of the message in a bounce.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, assert_never

from delivery.program_keeper import (
    TERM_SECONDS,
    Command,
    Exited,
    NotStarted,
    ProgramLimits,
    Report,
    TimeOver,
    received,
    start_keeper,
)

OUTPUT_OCTETS_MAX: Final = 3000  # qmail-lspawn cuts reports there
PIPE_OCTETS_MAX: Final = 1 << 20  # a user can make a pipe hold so much (pipe-max-size of proc(5))
SHELL: Final = b"/bin/sh"
LATE_SECONDS: Final = TERM_SECONDS + 5.0  # the keeper's report is not waited for any longer than that


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
    background may go on for the rest of the time, and no longer, when it ends by itself.

    Args:
        arguments: the program's absolute path and its arguments.
        environment: all of it.
        directory: descriptor of the directory it starts in.
        message: descriptor of its standard input.
        limits: what it may use.

    Raises:
        OSError: it could not be started.
    """
    command = Command(arguments, environment, directory, message, limits)
    end_at = time.monotonic() + limits.seconds + LATE_SECONDS
    reading, writing = os.pipe()
    with contextlib.closing(_Output(reading)) as output:
        try:
            keeper = start_keeper(command, writing)
        finally:
            os.close(writing)
        with keeper:
            report = _report(keeper, output, end_at)
        output.take()  # what was printed before the report is in the pipe by now
        match report:
            case Exited(status):
                return Ended(status, output.octets)
            case TimeOver():
                return Ended(None, output.octets)
            case NotStarted(number):
                raise OSError(number, os.strerror(number))
            case _:
                assert_never(report)


class _Output:
    """What a program prints, from the read end of a pipe, which is closed with this."""

    def __init__(self, pipe: int) -> None:
        os.set_blocking(pipe, False)
        self.pipe = pipe
        self.octets = b""

    def take(self) -> bool:
        """Take all that is there at the moment; False if nothing will follow.

        One read, not until nothing is left: what has left the group may print faster than we read, for ever.
        """
        try:
            piece = os.read(self.pipe, PIPE_OCTETS_MAX)
        except BlockingIOError:
            return True
        self.octets += piece[: OUTPUT_OCTETS_MAX - len(self.octets)]
        return bool(piece)

    def close(self) -> None:
        os.close(self.pipe)


def _report(keeper: socket.socket, output: _Output, end_at: float) -> Report:
    """Wait for the report; what has the pipe open meanwhile must not stand still because nobody reads."""
    poll = select.poll()
    poll.register(keeper, select.POLLIN)
    poll.register(output.pipe, select.POLLIN)
    while (left := end_at - time.monotonic()) > 0:
        ready = {descriptor for descriptor, _ in poll.poll(left * 1000)}
        if keeper.fileno() in ready:
            return _last(keeper, end_at)
        if output.pipe in ready and not output.take():
            poll.unregister(output.pipe)
    return TimeOver()


def _last(keeper: socket.socket, end_at: float) -> Report:
    report = received(keeper.recv(64))
    if report == TimeOver():
        # The group is killed now, and the keeper with it: its end shows that this has happened.
        keeper.settimeout(max(0.001, end_at - time.monotonic()))
        with contextlib.suppress(TimeoutError):
            keeper.recv(1)
    return report
