"""The supervisor: binds the listening sockets, forks the other processes, replaces the dead, carries signals.

It parses no protocol, starts no thread and imports no Twisted, so that forking from it is safe at any time.

Children live in *seats*, as many as their roles count; the seats of one plan are a *generation*. A generation is a
candidate until all its children are ready; then it is in service, and the one before it drains. If a child of a
candidate dies before that, the candidate is given up and what was in service stays: so a start fails as a whole, and a
reload with settings that do not work changes nothing. In service, a dead child is replaced in its seat, with growing
delays when it keeps dying. A child that asks for its replacement serves on until its successor is ready.

Draining children get the plan's ``drain_seconds``, then the order to end at once, then SIGKILL. They are sent no other
signal and take none that would end them: a terminal and a service manager send those to the whole group, and what they
mean is the supervisor's to decide. When the supervisor dies, the kernel kills its children
(``serving.privileges.end_with_parent``).
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from serving.channel import ChannelError, ChannelFullError, Frame, socket_pair
from serving.children import COUNT, Child, ChildState, drain_order, fork_child, introduction
from serving.generations import Generation, Seat, SupervisorPlan, generation_of
from serving.signals import signals_as_octets
from serving.sockets import ListeningSockets
from serving.status import StatusServer, status_report
from spool.errors import SettingsError, SpoolError

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
END_SECONDS: Final = 1.0  # between the order to end at once and SIGKILL
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)

_log: Final = logging.getLogger(__name__)


class Supervisor:
    """Runs a plan until SIGTERM or SIGINT.

    Args:
        plan: what to run at first.
        reload: called on SIGHUP; returns the new plan. Whatever it raises, the old one stays.
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
        self._current: Generation | None = None
        self._candidate: Generation | None = None
        self._reload_due = False
        self._stopping = False
        self._exit_status = EXIT_OK
        self._started_at = clock()
        self._status: StatusServer | None = None

    def run(self) -> int:
        """Start, serve and stop; return the exit status.

        Raises:
            SettingsError: the first plan's sockets cannot be bound; nothing was started.
        """
        try:
            with signals_as_octets(_SIGNALS) as wakeup:
                self._selector.register(wakeup, selectors.EVENT_READ, lambda: self._on_signals(wakeup.recv(4096)))
                self._open_status(self._first_plan)
                self._begin(self._first_plan)
                while self._children or not self._stopping:
                    for key, _ in self._selector.select(self._seconds_to_wait()):
                        key.data()
                    self._act_on_time()
        finally:
            if self._status is not None:
                self._status.close()
            self._sockets.keep_only(())
            self._selector.close()
        return self._exit_status

    # -- generations ----------------------------------------------------------------------------------------------

    def _begin(self, plan: SupervisorPlan) -> None:
        candidate = self._candidate = generation_of(plan, self._sockets.prepare(plan.listeners))
        for seat in candidate.seats:
            self._fill(candidate, seat)
            if self._candidate is None:  # given up: a fork failed
                return

    def _promote_if_ready(self) -> None:
        candidate = self._candidate
        if candidate is None or not candidate.ready:
            return
        before, self._current, self._candidate = self._current, candidate, None
        self._sockets.keep_only(candidate.listeners)
        if before is None:
            self._announce(" ".join(("ready", *map(str, candidate.listeners))))
            return
        try:
            self._open_status(candidate.plan)
        except SettingsError as error:
            _log.error("status is answered where it was before: %s", error)
        _log.info("reloaded")
        self._retire_all(before)

    def _give_up_candidate(self, reason: str) -> None:
        candidate, self._candidate = self._candidate, None
        assert candidate is not None
        for child in candidate.children():
            self._end(child)
        if self._current is None:
            _log.error("cannot start: %s", reason)
            self._exit_status = EXIT_FAILED
            self._stopping = True
        else:
            _log.error("reload failed, going on as before: %s", reason)
            self._sockets.keep_only(self._current.listeners)

    def _reload_if_due(self) -> None:
        if not self._reload_due or self._stopping or self._candidate is not None:
            return
        self._reload_due = False
        try:
            self._begin(self._reload())
        except SpoolError as error:
            _log.error("reload refused, going on as before: %s", error)
        except Exception:
            _log.exception("reload failed, going on as before")
            if self._candidate is not None:
                self._give_up_candidate("an error of the program")

    def _on_stop(self) -> None:
        if self._stopping:
            for child in self._children.values():
                child.signal(signal.SIGKILL)
            return
        self._stopping = True
        self._sockets.keep_only(())
        for generation in (self._candidate, self._current):
            if generation is not None:
                self._retire_all(generation)
        self._candidate = None

    def _retire_all(self, generation: Generation) -> None:
        for child in generation.children():
            self._retire(child, generation.plan.drain_seconds)

    # -- children -------------------------------------------------------------------------------------------------

    def _fill(self, generation: Generation, seat: Seat) -> None:
        self._serial += 1
        try:
            child = fork_child(seat.role, self._serial, generation.listeners, self._clock())
        except OSError as error:
            _log.error("cannot fork %s: %s", seat.role.name, error)
            self._lose(generation, seat, heir=seat.child, lived_seconds=0.0)
            return
        seat.take(child)
        self._children[child.pid] = child
        self._selector.register(child.control, selectors.EVENT_READ, lambda: self._on_readable(child))
        try:
            for other in generation.seats:
                if other.child not in (None, child) and other.role.meets(seat.role):
                    self._introduce(child, other.child)
        except OSError as error:
            _log.error("cannot introduce %s (pid %d): %s", seat.role.name, child.pid, error)
            child.signal(signal.SIGKILL)  # its end is noticed, and the next one is tried, in the ordinary way

    def _introduce(self, one: Child, other: Child) -> None:
        ends = socket_pair()
        with ends[0], ends[1]:
            self._tell(one, introduction(other.role.name, other.serial, ends[0].fileno()))
            self._tell(other, introduction(one.role.name, one.serial, ends[1].fileno()))

    def _lose(self, generation: Generation, seat: Seat, *, heir: Child | None, lived_seconds: float) -> None:
        seat.lose(heir, lived_seconds=lived_seconds, now=self._clock())
        if generation is self._candidate:
            self._give_up_candidate(f"{seat.role.name} ended before it was ready")

    def _retire(self, child: Child, drain_seconds: float) -> None:
        """Have a child end within ``drain_seconds``."""
        if child.state is ChildState.DRAINING:
            return
        child.state = ChildState.DRAINING
        child.end_at = self._clock() + drain_seconds
        self._tell(child, drain_order(drain_seconds))

    def _end(self, child: Child) -> None:
        """Have a child end now."""
        child.state = ChildState.DRAINING
        child.end_at = None
        child.kill_at = self._clock() + END_SECONDS
        self._tell(child, drain_order(0.0))

    def _tell(self, child: Child, frame: Frame) -> None:
        try:
            child.control.send_now(frame)
        except ChannelFullError as error:
            _log.warning("%s (pid %d) is not listening (%s): killed", child.role.name, child.pid, error)
            child.signal(signal.SIGKILL)
        except ChannelError:
            pass  # it is ending: that is noticed in the ordinary way

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
                found = self._seat_of(child)
                if found is not None and not self._stopping:
                    _log.warning("%s (pid %d) asks for a successor: %s", child.role.name, child.pid, reason[:200])
                    found[1].restarts += 1
                    self._fill(*found)

    def _seat_of(self, child: Child) -> tuple[Generation, Seat] | None:
        for generation in (self._current, self._candidate):
            if generation is not None and (seat := generation.seat_of(child)) is not None:
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
            # Where a successor has failed, the one that asked for it serves on in its old seat.
            heir = child.predecessor
            if heir is not None and self._children.get(heir.pid) is not heir:
                heir = None
            self._lose(*found, heir=heir, lived_seconds=self._clock() - child.started_at)
        return True

    # -- time, signals, status ------------------------------------------------------------------------------------

    def _seconds_to_wait(self) -> float | None:
        due = [at for child in self._children.values() for at in (child.end_at, child.kill_at) if at is not None]
        due += [seat.start_at for seat in self._seats_in_service() if seat.start_at is not None]
        if self._status is not None and (answer_by := self._status.answer_by) is not None:
            due.append(answer_by)
        return max(0.0, min(due) - self._clock()) if due else None

    def _act_on_time(self) -> None:
        now = self._clock()
        for child in self._children.values():
            if child.end_at is not None and child.end_at <= now:
                self._end(child)
            elif child.kill_at is not None and child.kill_at <= now:
                child.kill_at = None
                child.signal(signal.SIGKILL)
        self._reload_if_due()
        for seat in self._seats_in_service():
            if seat.start_at is not None and seat.start_at <= now:
                assert self._current is not None
                self._fill(self._current, seat)
        if self._status is not None:
            self._status.answer_if_due(now, lambda: self._report(now))

    def _seats_in_service(self) -> tuple[Seat, ...]:
        return () if self._current is None or self._stopping else self._current.seats

    def _on_signals(self, numbers: bytes) -> None:
        # Stopping first: what ends at the same time, with the whole group, has not ended unexpectedly.
        for number in numbers:
            if number in (signal.SIGTERM, signal.SIGINT):
                self._on_stop()
        if signal.SIGCHLD in numbers:
            self._reap()
        if signal.SIGHUP in numbers:
            self._reload_due = True

    def _open_status(self, plan: SupervisorPlan) -> None:
        before = self._status
        if plan.status_path is None or (before is not None and before.path == plan.status_path):
            return
        status = self._status = StatusServer(plan.status_path)
        self._selector.register(status, selectors.EVENT_READ, lambda: self._on_status_question(status))
        if before is not None:
            self._selector.unregister(before)
            before.close()

    def _on_status_question(self, status: StatusServer) -> None:
        asked = [child for child in self._children.values() if child.state is ChildState.READY]
        if status.take_question({child.serial for child in asked}, self._clock()):
            for child in asked:
                self._tell(child, COUNT)

    def _report(self, now: float) -> dict[str, object]:
        return status_report(
            self._current or self._candidate,
            self._children.values(),
            uptime_seconds=now - self._started_at,
            stopping=self._stopping,
            now=now,
        )


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"
