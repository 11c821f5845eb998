"""The mail processes of the spawner: forked into their users, kept idle for a while, killed, waited for.

This is the only code that becomes a mail user. Nothing here reads what a peer sent: who is meant was checked before.
There are kinds of mail processes: for sessions, for deliveries, for programs; each has a ``MailProcesses`` of its own.

A process that has changed its uid is not dumpable (prctl(2), PR_SET_DUMPABLE): the programs of its user can neither
attach to it nor open what it has open, though their uid is the same.
"""

from __future__ import annotations

import logging
import os
import resource
import selectors
import signal
import socket
import sys
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NoReturn, TypeAlias

from serving.channel import Channel, ChannelError, Frame, socket_pair
from serving.children import EXIT_SOFTWARE, leave_parent
from serving.orders import IDLE, Order
from serving.privileges import Identity, become

_log: Final = logging.getLogger(__name__)

UMASK: Final = 0o077
ResourceLimits: TypeAlias = tuple[tuple[int, int], ...]
SESSION_LIMITS: Final[ResourceLimits] = (
    (resource.RLIMIT_CORE, 0),  # a core file would hold mail
    (resource.RLIMIT_NOFILE, 256),
    (resource.RLIMIT_NPROC, 0),  # it starts neither processes nor threads
)
DELIVERY_LIMITS: Final[ResourceLimits] = ((resource.RLIMIT_CORE, 0),)  # the programs that it starts have further ones


@dataclass(frozen=True, slots=True)
class MailProcessPlan:
    """What mail processes of one kind are.

    ``name`` is what an error calls them. ``run`` is a process's life. ``groups`` are the supplementary groups of each
    (the group of ``/var/mail``, for dot-locks). ``limits`` are for ``setrlimit``. ``processes_max`` counts those that
    serve or are dying, ``idle_max`` those that are kept for their user's next order, for ``idle_seconds``.
    """

    name: str
    run: Callable[[Channel], int]
    limits: ResourceLimits = SESSION_LIMITS
    groups: tuple[int, ...] = ()
    processes_max: int = 2000
    processes_per_user_max: int = 20
    idle_max: int = 2000
    idle_seconds: float = 10.0


class TooManyProcessesError(Exception):
    """The limit of all, or of one user's, processes of a kind is reached."""


@dataclass(slots=True, eq=False)
class MailProcess:
    """``order`` is the one it serves, or has served last; ``idle_since`` is when it last became idle.

    A ``dying`` one was killed, and counts until the kernel lets it go.
    """

    order: Order
    pid: int
    control: Channel
    idle_since: float = 0.0
    dying: bool = False


class MailProcesses:
    """All mail processes of one kind.

    Args:
        plan: what they are.
        secret: is overwritten in each, as far as Python knows where its octets are.
        selector: calls back the data of its keys, without arguments.
        clock: seconds that never go back.
        freed: called with a process that serves nobody any more, whether it is idle or killed.
        asked: called with what a process says beside being idle; may raise a ChannelError, and the process is killed.
    """

    def __init__(
        self,
        plan: MailProcessPlan,
        secret: bytearray,
        selector: selectors.BaseSelector,
        clock: Callable[[], float],
        freed: Callable[[MailProcess], None],
        asked: Callable[[MailProcess, Frame], None],
    ) -> None:
        self._plan = plan
        self._secret = secret
        self._selector = selector
        self._clock = clock
        self._freed = freed
        self._asked = asked
        self._of_uid: defaultdict[int, set[MailProcess]] = defaultdict(set)  # dying ones, too
        self._count = 0  # of all of them
        self._idle: dict[MailProcess, None] = {}  # the one that has been so for longest comes first
        self._dying: set[MailProcess] = set()
        self._forked = self._reused = 0

    def serve(self, order: Order, end: socket.socket) -> MailProcess:
        """Have a process that is the order's user serve it over ``end``: an idle one, else a new one.

        Raises:
            TooManyProcessesError: no further process may be started.
            OSError: no process or descriptor to be had now.
        """
        frame = Frame(order.message, descriptor=end.fileno())
        self._hear_from(order.uid)
        of_user = self._of_uid.get(order.uid, set())
        for process in [each for each in of_user if each in self._idle and each.order.gid == order.gid]:
            try:
                process.control.send_now(frame)
            except ChannelError:
                self.kill(process)  # it died a moment ago
                continue
            del self._idle[process]
            self._reused += 1
            process.order = order
            return process
        process = self._fork(order)
        with suppress(ChannelError):  # it died at once: who waits at the other end of the socket sees it
            process.control.send(frame)
        return process

    def kill(self, process: MailProcess) -> None:
        """Kill a process, whatever it does. A program that it runs is ended by the program's keeper."""
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
        self._wait_for_dead()

    def counters(self) -> dict[str, int]:
        """Figures for ``mailspool status``."""
        return {
            "processes": self._count,
            "idle": len(self._idle),
            "dying": len(self._dying),
            "forked": self._forked,
            "reused": self._reused,
        }

    def _hear_from(self, uid: int) -> None:
        """Hear which processes of a user have become idle: whoever they served may ask again before we look."""
        for process in [each for each in self._of_uid.get(uid, set()) if each not in self._idle]:
            self._on_readable(process)

    def _wait_for_dead(self) -> None:
        for process in tuple(self._dying):
            if os.waitpid(process.pid, os.WNOHANG)[0] != 0:
                self._dying.discard(process)
                self._count -= 1
                of_user = self._of_uid[process.order.uid]
                of_user.discard(process)
                if not of_user:
                    del self._of_uid[process.order.uid]

    def _fork(self, order: Order) -> MailProcess:
        self._wait_for_dead()
        of_user = len(self._of_uid.get(order.uid, ()))
        if self._count - len(self._idle) >= self._plan.processes_max or of_user >= self._plan.processes_per_user_max:
            raise TooManyProcessesError(
                f"{of_user} {self._plan.name} processes of uid {order.uid}, {self._count} in all"
            )
        ours, theirs = socket_pair()
        try:
            pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            raise
        if pid == 0:
            _live(Identity(order.uid, order.gid, self._plan.groups), theirs, self._plan, self._secret)
        theirs.close()
        self._forked += 1
        process = MailProcess(order, pid, Channel(ours))
        self._of_uid[order.uid].add(process)
        self._count += 1
        self._selector.register(process.control, selectors.EVENT_READ, lambda: self._on_readable(process))
        return process

    def _on_readable(self, process: MailProcess) -> None:
        if process.dying:
            return  # its end was noticed earlier in the same round
        try:
            frames = process.control.receive_now()
            for frame in frames:  # all first: a bad one ends it, and the others' descriptors must not stay
                frame.discard()
            for frame in frames:
                if frame.message == IDLE.message:
                    self._rest(process)
                else:
                    self._asked(process, frame)
        except ChannelError:
            self.kill(process)

    def _rest(self, process: MailProcess) -> None:
        process.idle_since = self._clock()
        self._idle[process] = None
        self._freed(process)
        if len(self._idle) > self._plan.idle_max:
            self.kill(next(iter(self._idle)))


def _live(identity: Identity, control: socket.socket, plan: MailProcessPlan, secret: bytearray) -> NoReturn:
    status = EXIT_SOFTWARE
    try:
        leave_parent({control.fileno()})
        secret[:] = bytes(len(secret))
        os.umask(UMASK)
        os.chdir("/")
        for limit, value in plan.limits:
            resource.setrlimit(limit, (value, value))
        become(identity)
        status = plan.run(Channel(control))
    except BaseException:
        _log.critical("a %s process of uid %d ends by an error", plan.name, identity.uid, exc_info=True)
    finally:
        sys.stderr.flush()
        os._exit(status)
