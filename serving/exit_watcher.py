"""Notices the end of a child process in a reactor, without SIGCHLD: by a descriptor that stands for the process."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer


@implementer(IReadDescriptor)
class ExitWatcher:
    """Waits for child ``pid`` and calls ``ended`` with its exit status, negative for a signal (as ``subprocess``).

    While ``ended`` runs, the pid and the process group are still the child's: it is waited for only afterwards.
    """

    def __init__(self, reactor: Any, pid: int, ended: Callable[[int], None]) -> None:
        self._reactor = reactor
        self._pid = pid
        self._ended = ended
        self._descriptor = os.pidfd_open(pid)
        reactor.addReader(self)

    def fileno(self) -> int:
        """The process descriptor: readable once the process has ended (pidfd_open(2))."""
        return self._descriptor

    def logPrefix(self) -> str:  # noqa: N802 - the name in Twisted
        """A name for the reactor's log."""
        return "child process"

    def doRead(self) -> None:  # noqa: N802 - the name in Twisted
        """The process has ended: take its status."""
        self._reactor.removeReader(self)
        os.close(self._descriptor)
        found = os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOWAIT)
        assert found is not None
        try:
            self._ended(found.si_status if found.si_code == os.CLD_EXITED else -found.si_status)
        finally:
            os.waitpid(self._pid, 0)

    def connectionLost(self, reason: object) -> None:  # noqa: N802 - as in Twisted
        """The reactor stops; the process is not waited for."""
