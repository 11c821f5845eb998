"""XTND XMIT: a message from a logged-in user goes to a sendmail command (qpopper and Eudora's way to send).

The command is the administrator's, an argument a piece and without a shell; the envelope sender is ours, not the
client's, and nothing the client sends becomes an argument. The message lies in a memory file that is the child's
standard input, so nobody has to feed a pipe; the child's end is seen on a pidfd, so no signal handler is needed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFDSet, IReactorTime, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from spool.names import UserName

SUBMISSION_SECONDS: Final = 60.0
TERM_SECONDS: Final = 5.0  # between TERM and KILL
_HOUR: Final = 3600.0
# sysexits.h: what the command will never take. Everything else is worth another try.
_PERMANENT_EXITS: Final = frozenset({os.EX_USAGE, os.EX_DATAERR, os.EX_NOUSER, os.EX_NOHOST, os.EX_NOPERM})


class SubmissionError(Exception):
    """The command did not take the message; the text is for the log."""

    def __init__(self, text: str, *, permanent: bool = False) -> None:
        super().__init__(text)
        self.permanent = permanent


class Submitter(Protocol):
    """Takes messages of logged-in users."""

    def submit(self, user: UserName, message: bytes) -> Deferred[None]:
        """Hand ``message`` (LF line ends) over; fails with SubmissionError. Cancelling stops the attempt."""


class HourlyAllowance:
    """How many messages each user may send in any hour, as seen by this worker.

    Memory is bounded by the allowance of those who sent within the last hour.
    """

    def __init__(self, messages_per_hour: int, clock: IReactorTime) -> None:
        self._messages_per_hour = messages_per_hour
        self._clock = clock
        self._sent: dict[UserName, deque[float]] = {}

    def take(self, user: UserName) -> bool:
        """Count one message if it is allowed, and say whether it is."""
        since = self._clock.seconds() - _HOUR
        for name in [name for name, times in self._sent.items() if times[-1] <= since]:
            del self._sent[name]
        times = self._sent.setdefault(user, deque())
        while times and times[0] <= since:
            times.popleft()
        if len(times) >= self._messages_per_hour:
            return False
        times.append(since + _HOUR)
        return True


class SendmailCommand:
    """Runs the configured command for each message, as ``COMMAND… -f USER@DOMAIN`` in a process group of its own."""

    def __init__(self, command: Sequence[str], domain: str, descriptors: IReactorFDSet, clock: IReactorTime) -> None:
        self._command = tuple(command)
        self._domain = domain
        self._descriptors = descriptors
        self._clock = clock

    def submit(self, user: UserName, message: bytes) -> Deferred[None]:
        """Start the command; fires once it has exited with 0.

        The Deferred fails with SubmissionError when it exits otherwise, cannot be started, or is not done within
        ``SUBMISSION_SECONDS``; then, as on cancelling, its process group gets TERM and after ``TERM_SECONDS`` KILL.
        """
        try:
            process = self._start((*self._command, "-f", f"{user}@{self._domain}"), message)
        except OSError as error:
            return _failed(f"{self._command[0]}: {error.strerror}")
        return _Child(process, self._descriptors, self._clock).ended

    @staticmethod
    def _start(command: Sequence[str], message: bytes) -> subprocess.Popen[bytes]:
        with os.fdopen(os.memfd_create("message"), "w+b") as stdin:
            stdin.write(message)
            stdin.seek(0)
            return subprocess.Popen(  # noqa: S603 - the administrator's command, our arguments
                command, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0, cwd="/"
            )


@implementer(IReadDescriptor)
class _Child:
    """One running command. Its pidfd becomes readable when the child has ended."""

    def __init__(self, process: subprocess.Popen[bytes], descriptors: IReactorFDSet, clock: IReactorTime) -> None:
        self.ended: Deferred[None] = Deferred(lambda _: self._stop())
        self._process = process
        self._descriptors = descriptors
        self._clock = clock
        self._pidfd = os.pidfd_open(process.pid)
        self._timer = clock.callLater(SUBMISSION_SECONDS, self._timed_out)
        descriptors.addReader(self)

    def fileno(self) -> int:
        return self._pidfd

    def logPrefix(self) -> str:  # noqa: N802
        return "submission"

    def doRead(self) -> None:  # noqa: N802
        if self.ended.called:
            # Stopped: nothing of its group may go on. Before wait(), while the zombie still keeps the group's number.
            self._signal(signal.SIGKILL)
        status = self._process.wait()
        self._descriptors.removeReader(self)
        os.close(self._pidfd)
        if self._timer.active():
            self._timer.cancel()
        if self.ended.called:
            return
        if status == 0:
            self.ended.callback(None)
        else:
            self.ended.errback(_ended_badly(status))

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802
        """The reactor stops and forgets its descriptors: the command is left to end by itself."""

    def _timed_out(self) -> None:
        self._stop()
        self.ended.errback(SubmissionError(f"not done within {SUBMISSION_SECONDS:g} seconds"))

    def _stop(self) -> None:
        if self._timer.active():
            self._timer.cancel()
        self._signal(signal.SIGTERM)
        self._timer = self._clock.callLater(TERM_SECONDS, self._signal, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def _ended_badly(status: int) -> SubmissionError:
    how = f"exit status {status}" if status > 0 else f"signal {-status}"
    return SubmissionError(f"ended with {how}", permanent=status in _PERMANENT_EXITS)


def _failed(text: str) -> Deferred[None]:
    failed: Deferred[None] = Deferred()
    failed.errback(SubmissionError(text))
    return failed
