"""Password checks by a program: checkpassword, PAM. Each is a killable process group with a time limit."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall

from accounts.checks import EXTERNAL_CHECK_DESCRIPTOR, CheckResult, ExternalCheck
from serving.exit_watcher import ExitWatcher

TERM_GRACE_SECONDS: Final = 1.0
_ENVIRONMENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


class ExternalChecks:
    """Runs checks, at most ``running_max`` at once.

    Args:
        reactor: runs in this process.
        seconds: how long one may take before its group gets SIGTERM, and then SIGKILL.
        running_max: one more than that is UNAVAILABLE at once. A killed check counts until it has ended.
    """

    def __init__(self, reactor: Any, *, seconds: float, running_max: int) -> None:
        self._reactor = reactor
        self._seconds = seconds
        self._running_max = running_max
        self.running = 0

    def run(self, check: ExternalCheck) -> Deferred[CheckResult]:
        """Let the program decide. Never fails."""
        if self.running >= self._running_max:
            return succeed(CheckResult.UNAVAILABLE)
        try:
            pid = _spawn(check)
        except OSError:
            return succeed(CheckResult.UNAVAILABLE)
        self.running += 1
        return _RunningCheck(self._reactor, check, pid, self._seconds, self._ended).answer

    def _ended(self) -> None:
        self.running -= 1


class _RunningCheck:
    """One program; its process group has the program's own pid as its number."""

    def __init__(self, reactor: Any, check: ExternalCheck, pid: int, seconds: float, ended: Callable[[], None]) -> None:
        self._reactor = reactor
        self._check = check
        self._pid = pid
        self._count_end = ended
        self._next_signal: IDelayedCall = reactor.callLater(seconds, self._terminate)
        self.answer: Deferred[CheckResult] = Deferred()
        ExitWatcher(reactor, pid, self._ended)

    def _terminate(self) -> None:
        self._signal(signal.SIGTERM)
        self._next_signal = self._reactor.callLater(TERM_GRACE_SECONDS, self._signal, signal.SIGKILL)
        self.answer.callback(self._check.result(None))

    def _ended(self, status: int) -> None:
        if self._next_signal.active():
            self._next_signal.cancel()
        # What the program may have left behind in its group does not outlive it.
        self._signal(signal.SIGKILL)
        self._count_end()
        if not self.answer.called:
            self.answer.callback(self._check.result(status if status >= 0 else None))

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, number)


def _spawn(check: ExternalCheck) -> int:
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        # A pipe takes 64 KiB at once; a check has at most the octets of a login. More would be cut: refuse that.
        if os.write(writer, check.octets) != len(check.octets):
            raise OSError("input too long for a pipe")
        return os.posix_spawn(
            check.command[0],
            check.command,
            _ENVIRONMENT,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_DUP2, reader, EXTERNAL_CHECK_DESCRIPTOR),
            ],
            setsid=True,
            setsigdef=[signal.SIGPIPE, signal.SIGINT, signal.SIGHUP, signal.SIGTERM],
        )
    finally:
        os.close(reader)
        os.close(writer)
