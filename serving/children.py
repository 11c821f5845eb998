"""Child processes of the supervisor: what they are given, how they are forked, what is said over their control channel.

The supervisor tells a child ``introduce`` (with a descriptor: a channel to another child), ``drain`` and ``count``; the
child tells it ``ready``, ``counters`` and ``replace``. A control channel that ends means: the other is gone, end too.
"""

from __future__ import annotations

import enum
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from serving.channel import Channel, Frame, socket_pair
from serving.privileges import Identity, become, end_with_parent
from serving.sockets import Listener

EXIT_SOFTWARE: Final = 70  # EX_SOFTWARE of sysexits.h
_HIGHEST_DESCRIPTOR: Final = 2**20

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChildContext:
    """What a child begins with. It closes the control channel only by ending."""

    role: str
    serial: int
    control: Channel
    listeners: tuple[Listener, ...]

    def report_ready(self) -> None:
        """Tell the supervisor that the child does its work now."""
        self.control.send(READY)


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of child.

    Args:
        name: what status and log call it.
        count: how many there are.
        run: the child's life; blocks until it should end, and returns the exit status.
        identity: who the child becomes before ``run``; None leaves it as the supervisor is.
        protocols: it is given the listening sockets of these protocols.
        knows: names of the roles it is introduced to; each gets a channel to the other.
    """

    name: str
    count: int
    run: Callable[[ChildContext], int]
    identity: Identity | None = None
    protocols: frozenset[str] = frozenset()
    knows: frozenset[str] = frozenset()

    def meets(self, other: Role) -> bool:
        """Whether children of the two roles are introduced to each other."""
        return other.name in self.knows or self.name in other.knows


class ChildState(enum.Enum):
    """Where a child is in its life."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


@dataclass(slots=True, eq=False)
class Child:
    """A child as the supervisor sees it. ``serial`` is never used twice; times are in the supervisor's clock.

    ``predecessor`` drains once this one is ready. ``end_at`` is when a draining child is told to end at once, and
    ``kill_at`` when one that was told so is killed.
    """

    role: Role
    serial: int
    pid: int
    control: Channel
    started_at: float
    state: ChildState = ChildState.STARTING
    predecessor: Child | None = None
    end_at: float | None = None
    kill_at: float | None = None
    counters: Mapping[str, Any] = field(default_factory=dict)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal. Safe until the child is waited for: until then its pid belongs to it."""
        os.kill(self.pid, number)


READY: Final = Frame({"kind": "ready"})
COUNT: Final = Frame({"kind": "count"})


def introduction(role: str, serial: int, descriptor: int) -> Frame:
    """``descriptor`` is a channel to child ``serial`` of ``role``."""
    return Frame({"kind": "introduce", "role": role, "serial": serial}, descriptor=descriptor)


def drain_order(seconds: float) -> Frame:
    """Take no new work, finish what is under way within ``seconds``, end."""
    return Frame({"kind": "drain", "seconds": seconds})


def counters_report(counters: Mapping[str, Any]) -> Frame:
    """Figures for ``mailspool status``."""
    return Frame({"kind": "counters", "counters": dict(counters)})


def replacement_request(reason: str) -> Frame:
    """The child asks for a successor; it serves on until that is ready, then drains."""
    return Frame({"kind": "replace", "reason": reason})


def fork_child(role: Role, serial: int, listeners: Iterable[Listener], now: float) -> Child:
    """Fork a child of ``role``.

    The caller runs no threads and no reactor: a copy of a held lock would stay held for ever in the child.

    Raises:
        OSError: no process or descriptor to be had now.
    """
    served = tuple(listener for listener in listeners if listener.plan.protocol in role.protocols)
    ours, theirs = socket_pair()
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()  # or the child would write the buffer's content once more
        supervisor = os.getpid()
        pid = os.fork()
    except OSError:
        ours.close()
        theirs.close()
        raise
    if pid == 0:
        _live(role, ChildContext(role.name, serial, Channel(theirs), served), supervisor)
    theirs.close()
    return Child(role, serial, pid, Channel(ours), now)


def leave_parent(keep: Iterable[int]) -> None:
    """Give up what a freshly forked child has of its parent: garbage, signal handlers, terminal, descriptors.

    From here on the child leads a session and process group of its own, and ignores SIGTERM, SIGINT and SIGHUP.

    The caller must end with ``os._exit`` and never return: objects of the parent's that the frames below still hold
    must not be collected, or they would close descriptor numbers that mean something else by then.

    Args:
        keep: the descriptors that stay open besides the standard ones.
    """
    gc.freeze()  # what the parent's collector had not got round to must not be finalized here either
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # What a terminal or a service manager sends to the whole group is the supervisor's to act on.
        signal.signal(number, signal.SIG_IGN)
    os.setsid()  # nor can a process that is broken into type into the operator's terminal
    start = 3
    for descriptor in sorted(set(keep)):
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, _HIGHEST_DESCRIPTOR)


def _live(role: Role, context: ChildContext, supervisor: int) -> NoReturn:
    status = EXIT_SOFTWARE
    try:
        leave_parent({context.control.fileno(), *(each.socket.fileno() for each in context.listeners)})
        if role.identity is not None:
            become(role.identity, root_permitted=False)
        end_with_parent(supervisor)
        status = role.run(context)
    except BaseException:
        _log.critical("%s ends by an error", role.name, exc_info=True)
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)
