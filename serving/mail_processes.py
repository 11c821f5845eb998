"""The mail processes of the spawner: forked into their users, kept idle for a while, killed, waited for.

This is the only code that becomes a mail user. Nothing here reads what a peer sent: who is meant was checked before.
"""

from __future__ import annotations

import logging
import os
import resource
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, NoReturn

from accounts.tickets import Ticket
from serving.channel import Channel, ChannelError, socket_pair
from serving.children import EXIT_SOFTWARE, leave_parent
from serving.mail_process import serve_order
from serving.privileges import Identity, become

_log: Final = logging.getLogger(__name__)

UMASK: Final = 0o077
LIMITS: Final = (
    (resource.RLIMIT_CORE, 0),  # a core file would hold mail
    (resource.RLIMIT_NOFILE, 256),
    (resource.RLIMIT_NPROC, 0),  # a mail process starts neither processes nor threads
)


@dataclass(frozen=True, slots=True)
class MailProcessPlan:
    """What mail processes are.

    ``run`` is a mail process's life. ``groups`` are the supplementary groups of each (the group of ``/var/mail``, for
    dot-locks). ``secret`` is overwritten in each, as far as Python knows where its octets are.
    """

    run: Callable[[Channel], int]
    secret: bytearray = field(repr=False)
    groups: tuple[int, ...] = ()
    processes_max: int = 2000
    processes_per_user_max: int = 20
    idle_seconds: float = 10.0


class TooManyProcessesError(Exception):
    """The limit of all, or of one user's, mail processes is reached."""


@dataclass(slots=True, eq=False)
class MailProcess:
    """``idle_since`` is when it last became so. A ``dying`` one was killed, and counts until the kernel lets it go."""

    uid: int
    pid: int
    control: Channel
    idle_since: float = 0.0
    dying: bool = False


class MailProcesses:
    """All mail processes of one spawner.

    Args:
        plan: what they are.
        selector: calls back the data of its keys, without arguments.
        clock: seconds that never go back.
        freed: called with a process that serves nobody any more.
    """

    def __init__(
        self,
        plan: MailProcessPlan,
        selector: selectors.BaseSelector,
        clock: Callable[[], float],
        freed: Callable[[MailProcess], None],
    ) -> None:
        self._plan = plan
        self._selector = selector
        self._clock = clock
        self._freed = freed
        self._all: set[MailProcess] = set()
        self._idle: dict[MailProcess, None] = {}  # the one that has been so for longest comes first
        self._dying: set[MailProcess] = set()
        self._forked = self._reused = 0

    def serve(self, ticket: Ticket, end: socket.socket) -> MailProcess:
        """Have a process that is the ticket's user serve a session over ``end``: an idle one, else a new one.

        Raises:
            TooManyProcessesError: no further process may be started.
            OSError: no process or descriptor to be had now.
        """
        order = serve_order(ticket.user, ticket.uid, ticket.gid, ticket.home, end.fileno())
        for process in [each for each in self._idle if each.uid == ticket.uid]:
            try:
                process.control.send_now(order)
            except ChannelError:
                self.kill(process)  # it died a moment ago
                continue
            del self._idle[process]
            self._reused += 1
            return process
        process = self._fork(Identity(ticket.uid, ticket.gid, self._plan.groups))
        with suppress(ChannelError):  # it died at once: who waits at the other end of the session's socket sees it
            process.control.send(order)
        return process

    def kill(self, process: MailProcess) -> None:
        """Kill a process, whatever it does."""
        if process.dying:
            return
        process.dying = True
        self._dying.add(process)
        self._idle.pop(process, None)
        self._selector.unregister(process.control)
        process.control.close()
        os.kill(process.pid, signal.SIGKILL)  # not waited for yet, so the pid is still its own
        self._freed(process)

    def look(self) -> None:
        """Let go those that were idle for long, and wait for the dead. Costs nothing while there are none."""
        idle_before = self._clock() - self._plan.idle_seconds
        while self._idle and (process := next(iter(self._idle))).idle_since <= idle_before:
            self.kill(process)
        for process in tuple(self._dying):
            if os.waitpid(process.pid, os.WNOHANG)[0] != 0:
                self._dying.discard(process)
                self._all.discard(process)

    def counters(self) -> dict[str, int]:
        """Figures for ``mailspool status``."""
        return {
            "processes": len(self._all),
            "idle": len(self._idle),
            "dying": len(self._dying),
            "forked": self._forked,
            "reused": self._reused,
        }

    def _fork(self, identity: Identity) -> MailProcess:
        of_user = sum(process.uid == identity.uid for process in self._all)
        if len(self._all) >= self._plan.processes_max or of_user >= self._plan.processes_per_user_max:
            raise TooManyProcessesError(f"{of_user} mail processes of uid {identity.uid}, {len(self._all)} in all")
        ours, theirs = socket_pair()
        try:
            pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            raise
        if pid == 0:
            _live(identity, theirs, self._plan)
        theirs.close()
        self._forked += 1
        process = MailProcess(identity.uid, pid, Channel(ours))
        self._all.add(process)
        self._selector.register(process.control, selectors.EVENT_READ, lambda: self._on_readable(process))
        return process

    def _on_readable(self, process: MailProcess) -> None:
        if process.dying:
            return  # its end was noticed earlier in the same round
        try:
            frames = process.control.receive_now()
        except ChannelError:
            self.kill(process)
            return
        for frame in frames:  # it has one thing to say: that it is idle
            frame.discard()
            process.idle_since = self._clock()
            self._idle[process] = None
            self._freed(process)


def _live(identity: Identity, control: socket.socket, plan: MailProcessPlan) -> NoReturn:
    status = EXIT_SOFTWARE
    try:
        leave_parent({control.fileno()})
        plan.secret[:] = bytes(len(plan.secret))
        os.umask(UMASK)
        os.chdir("/")
        for limit, value in LIMITS:
            resource.setrlimit(limit, (value, value))
        become(identity)
        status = plan.run(Channel(control))
    except BaseException:
        _log.critical("a mail process of uid %d ends by an error", identity.uid, exc_info=True)
    finally:
        sys.stderr.flush()
        os._exit(status)
