"""The supervisor: binds the listening sockets, forks the other processes, replaces the dead, carries signals.

It parses no protocol, starts no thread and imports no Twisted, so that forking from it is safe at any time.

Children live in *seats*, as many as their roles count; the seats of one plan are a *generation*. A generation is a
candidate until all its children are ready; then it is in service, and the one before it drains. If a child of a
candidate dies before that, the candidate is given up and what was in service stays: so a start fails as a whole, and a
reload with settings that do not work changes nothing. In service, a dead child is replaced in its seat, with growing
delays when it keeps dying. A child that asks for its replacement serves on until its successor is ready.

Draining children get the plan's ``drain_seconds``, then SIGTERM, then SIGKILL. When the supervisor dies, the kernel
kills its children (``serving.privileges.end_with_parent``).
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from serving.channel import ChannelError, Frame, socket_pair
from serving.children import (
    COUNT,
    Child,
    ChildState,
    Role,
    drain_order,
    fork_child,
    introduction,
)
from serving.sockets import Listener, ListenerPlan, ListeningSockets
from serving.status import StatusServer
from spool.errors import SettingsError

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
TERM_GRACE_SECONDS: Final = 2.0  # between SIGTERM and SIGKILL
STEADY_SECONDS: Final = 10.0  # a child that lived so long is replaced at once
BACKOFF_FIRST_SECONDS: Final = 0.25
BACKOFF_MAX_SECONDS: Final = 30.0

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SupervisorPlan:
    """What is to run. ``status_path`` is where status questions are answered, None for nowhere."""

    listeners: tuple[ListenerPlan, ...]
    roles: tuple[Role, ...]
    drain_seconds: float = 30.0
    status_path: Path | None = None


@dataclass(slots=True, eq=False)
class _Seat:
    """One place for a child. ``start_at`` is when a vacant seat is to be filled."""

    role: Role
    child: Child | None = None
    start_at: float | None = None
    early_deaths: int = 0
    restarts: int = 0


@dataclass(slots=True, eq=False)
class _Generation:
    plan: SupervisorPlan
    listeners: tuple[Listener, ...]
    seats: tuple[_Seat, ...]

    @property
    def ready(self) -> bool:
        return all(seat.child is not None and seat.child.state is ChildState.READY for seat in self.seats)


class Supervisor:
    """Runs a plan until SIGTERM or SIGINT.

    Args:
        plan: what to run at first.
        reload: called on SIGHUP; returns the new plan, or raises SettingsError to keep the old one.
        announce: called with the ``ready`` line.
        inherited: listening sockets from systemd.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        plan: SupervisorPlan,
        *,
        reload: Callable[[], SupervisorPlan],
        announce: Callable[[str], None],
        inherited: Iterable[socket.socket] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first_plan = plan
        self._reload = reload
        self._announce = announce
        self._clock = clock
        self._sockets = ListeningSockets(inherited)
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, Child] = {}
        self._serial = 0
        self._current: _Generation | None = None
        self._candidate: _Generation | None = None
        self._stopping = False
        self._exit_status = EXIT_OK
        self._started_at = clock()
        self._status: StatusServer | None = None

    def run(self) -> int:
        """Start, serve and stop; return the exit status.

        Raises:
            SettingsError: the first plan's sockets cannot be bound; nothing was started.
        """
        with _signals_as_octets() as wakeup:
            self._selector.register(wakeup, selectors.EVENT_READ, lambda: self._on_signals(wakeup.recv(4096)))
            self._begin(self._first_plan)
            while self._children or not self._stopping:
                for key, _ in self._selector.select(self._seconds_to_wait()):
                    key.data()
                self._act_on_time()
        self._close()
        return self._exit_status

    # -- generations ----------------------------------------------------------------------------------------------

    def _begin(self, plan: SupervisorPlan) -> None:
        listeners = self._sockets.prepare(plan.listeners)
        self._open_status(plan.status_path)
        seats = tuple(_Seat(role) for role in plan.roles for _ in range(role.count))
        self._candidate = _Generation(plan, listeners, seats)
        for seat in seats:
            if self._candidate is None:  # given up in the middle: a fork failed
                return
            self._fill(self._candidate, seat)

    def _promote_if_ready(self) -> None:
        candidate = self._candidate
        if candidate is None or not candidate.ready:
            return
        before, self._current, self._candidate = self._current, candidate, None
        self._sockets.keep_only(candidate.listeners)
        if before is None:
            self._announce(" ".join(("ready", *map(str, candidate.listeners))))
        else:
            _log.info("reloaded")
            self._retire_all(before)

    def _give_up_candidate(self, reason: str) -> None:
        candidate, self._candidate = self._candidate, None
        assert candidate is not None
        for seat in candidate.seats:
            if seat.child is not None:
                self._terminate(seat.child)
        if self._current is None:
            _log.error("cannot start: %s", reason)
            self._exit_status = EXIT_FAILED
            self._stopping = True
        else:
            _log.error("reload failed, going on as before: %s", reason)
            self._sockets.keep_only(self._current.listeners)

    def _on_reload(self) -> None:
        if self._stopping or self._candidate is not None:
            _log.warning("reload ignored: still busy starting or stopping")
            return
        try:
            self._begin(self._reload())
        except SettingsError as error:
            _log.error("reload refused, going on as before: %s", error)

    def _on_stop(self) -> None:
        if self._stopping:
            for child in self._children.values():
                child.signal(signal.SIGKILL)
            return
        self._stopping = True
        if self._candidate is not None:
            candidate, self._candidate = self._candidate, None
            self._retire_all(candidate)
        if self._current is not None:
            self._sockets.keep_only(())
            self._retire_all(self._current)

    def _retire_all(self, generation: _Generation) -> None:
        for seat in generation.seats:
            seat.start_at = None
            if (child := seat.child) is not None:
                self._retire(child, generation.plan.drain_seconds)
                if child.predecessor is not None:
                    self._retire(child.predecessor, generation.plan.drain_seconds)

    # -- children -------------------------------------------------------------------------------------------------

    def _fill(self, generation: _Generation, seat: _Seat, predecessor: Child | None = None) -> None:
        seat.start_at = None
        self._serial += 1
        try:
            child = fork_child(seat.role, self._serial, generation.listeners, self._clock())
        except OSError as error:
            _log.error("cannot fork %s: %s", seat.role.name, error)
            self._vacate(generation, seat, lived_seconds=0.0)
            return
        child.predecessor = predecessor
        seat.child = child
        self._children[child.pid] = child
        self._selector.register(child.control, selectors.EVENT_READ, lambda: self._on_readable(child))
        for other in generation.seats:
            if other.child not in (None, child) and other.role.meets(seat.role):
                self._introduce(child, other.child)

    def _introduce(self, one: Child, other: Child) -> None:
        ends = socket_pair()
        with ends[0], ends[1]:
            self._tell(one, introduction(other.role.name, other.serial, ends[0].fileno()))
            self._tell(other, introduction(one.role.name, one.serial, ends[1].fileno()))

    def _vacate(self, generation: _Generation, seat: _Seat, lived_seconds: float) -> None:
        """A seat's child is gone: say when the next one starts."""
        seat.child = None
        if generation is self._candidate:
            self._give_up_candidate(f"{seat.role.name} ended before it was ready")
            return
        delay = 0.0
        if lived_seconds < STEADY_SECONDS:
            delay = min(BACKOFF_FIRST_SECONDS * 2**seat.early_deaths - BACKOFF_FIRST_SECONDS, BACKOFF_MAX_SECONDS)
            seat.early_deaths = min(seat.early_deaths + 1, 10)
        else:
            seat.early_deaths = 0
        seat.restarts += 1
        seat.start_at = self._clock() + delay

    def _retire(self, child: Child, drain_seconds: float) -> None:
        if child.state is ChildState.DRAINING:
            return
        child.state = ChildState.DRAINING
        child.kill_at = self._clock() + drain_seconds
        self._tell(child, drain_order(drain_seconds))

    def _terminate(self, child: Child) -> None:
        child.state = ChildState.DRAINING
        child.terminated = True
        child.kill_at = self._clock() + TERM_GRACE_SECONDS
        child.signal(signal.SIGTERM)

    def _tell(self, child: Child, frame: Frame) -> None:
        try:
            child.control.send_now(frame)
        except ChannelError as error:
            # It is dead, or as good as dead: hung with a full buffer. Its end is noticed in the ordinary way.
            _log.warning("%s (pid %d) is not listening (%s): killed", child.role.name, child.pid, error)
            child.signal(signal.SIGKILL)

    def _on_readable(self, child: Child) -> None:
        if self._children.get(child.pid) is not child:
            return  # its end was noticed earlier in the same round
        try:
            frames = child.control.receive_now()
        except ChannelError:
            # Ending closes the channel a moment before the pid can be waited for. A child that closed it and
            # lives on cannot be told anything any more; a draining one ends by itself or at its limit.
            self._selector.unregister(child.control)
            child.control.close()
            if not self._reap_one(child) and child.state is not ChildState.DRAINING:
                child.signal(signal.SIGKILL)
            return
        for frame in frames:
            frame.discard()
            self._on_message(child, frame)

    def _on_message(self, child: Child, frame: Frame) -> None:
        match frame.message:
            case {"kind": "ready"} if child.state is ChildState.STARTING:
                child.state = ChildState.READY
                if child.predecessor is not None and (found := self._seat_of(child)) is not None:
                    self._retire(child.predecessor, found[0].plan.drain_seconds)
                    child.predecessor = None
                self._promote_if_ready()
            case {"kind": "counters", "counters": dict(counters)}:
                child.counters = counters
                if self._status is not None:
                    self._status.counted(child.serial)
            case {"kind": "replace", "reason": str(reason)} if child.state is ChildState.READY:
                _log.warning("%s (pid %d) asks for a successor: %s", child.role.name, child.pid, reason[:200])
                found = self._seat_of(child)
                if found is not None and not self._stopping:
                    found[1].restarts += 1
                    self._fill(*found, predecessor=child)

    def _seat_of(self, child: Child) -> tuple[_Generation, _Seat] | None:
        for generation in (self._current, self._candidate):
            if generation is not None:
                for seat in generation.seats:
                    if seat.child is child:
                        return generation, seat
        return None

    def _reap(self) -> None:
        for child in list(self._children.values()):
            self._reap_one(child)

    def _reap_one(self, child: Child) -> bool:
        # One by one rather than any child: whoever called us may have children of their own.
        pid, wait_status = os.waitpid(child.pid, os.WNOHANG)
        if pid == 0:
            return False
        del self._children[pid]
        with suppress(KeyError, ValueError):
            self._selector.unregister(child.control)
        child.control.close()
        if self._status is not None:
            self._status.counted(child.serial)
        if child.state is not ChildState.DRAINING:
            code = os.waitstatus_to_exitcode(wait_status)
            _log.error("%s (pid %d) ended unexpectedly (%s)", child.role.name, pid, _ending(code))
        if (found := self._seat_of(child)) is not None:
            generation, seat = found
            predecessor = child.predecessor
            self._vacate(generation, seat, self._clock() - child.started_at)
            if predecessor is not None and predecessor.pid in self._children:
                # The successor failed; the one that asked for it serves on in its old seat.
                seat.child, seat.start_at = predecessor, None
        return True

    # -- time, signals, status ------------------------------------------------------------------------------------

    def _seconds_to_wait(self) -> float | None:
        due = [child.kill_at for child in self._children.values() if child.kill_at is not None]
        if self._current is not None and not self._stopping:
            due += [seat.start_at for seat in self._current.seats if seat.start_at is not None]
        if self._status is not None and (answer_by := self._status.answer_by) is not None:
            due.append(answer_by)
        return max(0.0, min(due) - self._clock()) if due else None

    def _act_on_time(self) -> None:
        now = self._clock()
        for child in list(self._children.values()):
            if child.kill_at is not None and child.kill_at <= now:
                if child.terminated:
                    child.kill_at = None
                    child.signal(signal.SIGKILL)
                else:
                    self._terminate(child)
        if self._current is not None and not self._stopping:
            for seat in self._current.seats:
                if seat.start_at is not None and seat.start_at <= now:
                    self._fill(self._current, seat)
        if self._status is not None:
            self._status.answer_if_due(now, self._report)

    def _on_signals(self, numbers: bytes) -> None:
        # In this order: a dead child is known before a reload or stop counts on it.
        if signal.SIGCHLD in numbers:
            self._reap()
        if signal.SIGHUP in numbers:
            self._on_reload()
        for number in numbers:
            if number in (signal.SIGTERM, signal.SIGINT):
                self._on_stop()

    def _open_status(self, path: Path | None) -> None:
        if self._status is not None or path is None:
            return
        status = StatusServer(path)
        self._status = status
        self._selector.register(status, selectors.EVENT_READ, lambda: self._on_status_question(status))

    def _on_status_question(self, status: StatusServer) -> None:
        asked = [child for child in self._children.values() if child.state is ChildState.READY]
        if status.take_question({child.serial for child in asked}, self._clock()):
            for child in asked:
                self._tell(child, COUNT)

    def _report(self) -> dict[str, Any]:
        now = self._clock()
        generation = self._current or self._candidate
        seats = generation.seats if generation is not None else ()
        restarts: dict[str, int] = {}
        for seat in seats:
            restarts[seat.role.name] = restarts.get(seat.role.name, 0) + seat.restarts
        return {
            "pid": os.getpid(),
            "uptime_seconds": round(now - self._started_at, 3),
            "stopping": self._stopping,
            "listeners": [str(listener) for listener in (generation.listeners if generation is not None else ())],
            "restarts": restarts,
            "children": [
                {
                    "role": child.role.name,
                    "pid": child.pid,
                    "state": child.state.value,
                    "uptime_seconds": round(now - child.started_at, 3),
                    "counters": dict(child.counters),
                }
                for child in self._children.values()
            ],
        }

    def _close(self) -> None:
        if self._status is not None:
            self._status.close()
        self._sockets.keep_only(())
        self._selector.close()


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"


@contextmanager
def _signals_as_octets() -> Iterator[socket.socket]:
    """Have SIGTERM, SIGINT, SIGHUP and SIGCHLD arrive as octets on a socket, for the time of the block."""
    reader, writer = socket_pair()
    handled = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
    with reader, writer:
        reader.setblocking(False)
        writer.setblocking(False)
        previous_wakeup = signal.set_wakeup_fd(writer.fileno())
        # The handlers do nothing: the octet on the socket is the news. The default action would end us.
        previous = {number: signal.signal(number, lambda *_: None) for number in handled}
        try:
            yield reader
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(previous_wakeup)
