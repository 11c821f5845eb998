"""Which blocking operations may run: bookkeeping for the bulkheads, without threads and without a clock.

An *operation* is one piece of blocking maildrop work, done for one user on one file system. It is *waiting* or
*running* until it has returned or was withdrawn. One that has run for ``operation_seconds`` is *stuck*: its session has
been told that it failed, but its thread is gone until the kernel gives it back.

Refused at once is an operation

1. of a user who has ``operations_per_user`` in flight, or a stuck one: their home hangs, and a second thread would too;
2. on a *hung* file system: one with ``stuck_per_file_system`` stuck operations since an operation last returned on it.
   Every ``probe_seconds`` one operation is let through as a probe, and the pause doubles with each probe that gets
   stuck too. Whatever returns shows that the file system answers; what is still stuck then is its user's trouble;
3. on a file system with ``operations_per_file_system`` running, none of which has returned within ``PATIENCE_SECONDS``.
   While they do keep returning it waits its turn: a burst of logins is no trouble. The line is as long as there are
   sessions, since each has one operation out;
4. when ``threads`` operations run in all.

A wait is limited to ``operation_seconds`` as well; then the operation is withdrawn.

A *release* gives something back, such as the lock of a maildrop. It is never refused or withdrawn, and counts neither
against its user nor against ``threads``; it waits where another operation would wait or be refused for its file
system's sake.
"""

from __future__ import annotations

import enum
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from serving.errors import BulkheadFullError
from serving.settings import LimitsSettings
from spool.names import UserName

PATIENCE_SECONDS: Final = 1.0

Work = TypeVar("Work")


class Phase(enum.Enum):
    """Where an operation is."""

    WAITING = "waiting"
    RUNNING = "running"
    STUCK = "stuck"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Overdue(Generic[Work]):
    """What ``Admission.overdue`` found: operations that got stuck, that waited in vain, and that may run now."""

    stuck: Sequence[Operation[Work]]
    withdrawn: Sequence[Operation[Work]]
    ready: Sequence[Operation[Work]]


@dataclass(frozen=True, slots=True)
class AdmissionTotals:
    """Counts of a worker: ``running`` includes the ``stuck``; ``refused`` is since the start."""

    running: int
    waiting: int
    stuck: int
    refused: int
    hung_file_systems: tuple[str, ...]


@dataclass(slots=True)
class _Lane(Generic[Work]):
    """The operations of one file system. ``unanswered`` counts those stuck since one last returned."""

    moved_at: float
    running: int = 0
    stuck: int = 0
    unanswered: int = 0
    probes: int = 0
    probed_at: float = 0.0
    waiting: OrderedDict[Operation[Work], None] = field(default_factory=OrderedDict)
    releases: deque[Operation[Work]] = field(default_factory=deque)


@dataclass(slots=True)
class _Share:
    """The operations of one user: those in flight, those of them that are stuck, and how many are not releases."""

    in_flight: int = 0
    stuck: int = 0
    limited: int = 0


@dataclass(slots=True, eq=False)
class Operation(Generic[Work]):
    """One operation; ``work`` is the caller's. Only ``Admission`` changes it."""

    user: UserName
    file_system: str
    work: Work
    deadline: float
    release: bool
    lane: _Lane[Work]
    share: _Share
    phase: Phase = Phase.WAITING


class Admission(Generic[Work]):
    """Keeps the rules above. Times are seconds of one monotonic clock that the caller reads.

    Every operation with which a method has let the caller begin (``Phase.RUNNING``) must be reported by ``returned``
    once, however late. Memory is bounded by the operations in flight.
    """

    def __init__(self, limits: LimitsSettings) -> None:
        self._limits = limits
        self._lanes: dict[str, _Lane[Work]] = {}
        self._shares: dict[UserName, _Share] = {}
        # Every operation has the same time, so each of these is in the order of deadlines.
        self._running: OrderedDict[Operation[Work], None] = OrderedDict()
        self._waiting: OrderedDict[Operation[Work], None] = OrderedDict()
        self._threads = 0
        self._stuck = 0
        self._refused = 0

    @property
    def should_be_replaced(self) -> bool:
        """Whether so many threads are stuck that the worker should make room for a fresh one."""
        return self._stuck >= self._limits.stuck_threads

    @property
    def next_deadline(self) -> float | None:
        """When ``overdue`` has something to say next, None while nothing is in flight that could become so."""
        return min((next(iter(line)).deadline for line in (self._running, self._waiting) if line), default=None)

    @property
    def totals(self) -> AdmissionTotals:
        """How things stand."""
        return AdmissionTotals(
            running=self._threads,
            waiting=sum(len(lane.waiting) + len(lane.releases) for lane in self._lanes.values()),
            stuck=self._stuck,
            refused=self._refused,
            hung_file_systems=tuple(name for name, lane in self._lanes.items() if self._hung(lane)),
        )

    def admit(self, user: UserName, file_system: str, work: Work, now: float) -> Operation[Work]:
        """Let an operation in. It runs or waits, as its phase says.

        Raises:
            BulkheadFullError: it is refused; nothing has changed.
        """
        operation = self._operation(user, file_system, work, now, release=False)
        lane = operation.lane
        trouble = self._user_trouble(operation.share) or self._lane_trouble(lane, now)
        if trouble:
            self._refused += 1
            raise BulkheadFullError(f"{user} on {file_system}: {trouble}")
        self._enter(operation)
        if self._has_room(lane):
            self._start(operation, now)
        else:
            lane.waiting[operation] = None
            self._waiting[operation] = None
        return operation

    def admit_release(self, user: UserName, file_system: str, work: Work, now: float) -> Operation[Work]:
        """Let a release in. It runs or waits, as its phase says."""
        operation = self._operation(user, file_system, work, now, release=True)
        lane = operation.lane
        self._enter(operation)
        if self._has_room(lane) and not self._hung(lane):
            self._start(operation, now)
        else:
            lane.releases.append(operation)
        return operation

    def withdraw(self, operation: Operation[Work]) -> bool:
        """Take a waiting operation back; false, and without effect, if it has begun or is a release."""
        if operation.phase is not Phase.WAITING or operation.release:
            return False
        del operation.lane.waiting[operation]
        del self._waiting[operation]
        self._leave(operation)
        return True

    def returned(self, operation: Operation[Work], now: float) -> Sequence[Operation[Work]]:
        """Take note that a running or stuck operation's thread is back, and return what may run in its place."""
        lane = operation.lane
        lane.running -= 1
        self._threads -= 1
        if operation.phase is Phase.STUCK:
            lane.stuck -= 1
            operation.share.stuck -= 1
            self._stuck -= 1
        else:
            del self._running[operation]
        lane.moved_at = now
        lane.unanswered = lane.probes = 0
        self._leave(operation)
        return self._start_waiting(lane, now)

    def overdue(self, now: float) -> Overdue[Work]:
        """Find the operations whose time is over: running ones are stuck from now on, waiting ones are withdrawn."""
        stuck = self._due(self._running, now)
        for operation in stuck:
            self._become_stuck(operation, now)
        withdrawn = self._due(self._waiting, now)
        for operation in withdrawn:
            self.withdraw(operation)
        ready: list[Operation[Work]] = []
        for operation in stuck:
            ready.extend(self._start_waiting(operation.lane, now))
        return Overdue(stuck, withdrawn, ready)

    # -- the rules

    def _user_trouble(self, share: _Share) -> str | None:
        if share.stuck:
            return "an operation of this user does not return"
        if share.limited >= self._limits.operations_per_user:
            return f"this user has {share.limited} operations in flight"
        return None

    def _lane_trouble(self, lane: _Lane[Work], now: float) -> str | None:
        if self._threads >= self._limits.threads:
            return f"all {self._threads} threads are taken"
        if self._hung(lane):
            return None if self._probe_due(lane, now) else f"the file system hangs, {lane.stuck} operations are stuck"
        if not self._has_room(lane) and now - lane.moved_at > PATIENCE_SECONDS:
            return f"none of {lane.running} operations has returned lately"
        return None

    def _hung(self, lane: _Lane[Work]) -> bool:
        return lane.unanswered >= self._limits.stuck_per_file_system

    def _probe_due(self, lane: _Lane[Work], now: float) -> bool:
        return self._has_room(lane) and now - lane.probed_at >= self._limits.probe_seconds * 2**lane.probes

    def _has_room(self, lane: _Lane[Work]) -> bool:
        # Stuck operations take no place: else a few users' hung homes would stop a file system that answers.
        return lane.running - lane.stuck < self._limits.operations_per_file_system

    # -- the counts

    def _operation(self, user: UserName, file_system: str, work: Work, now: float, *, release: bool) -> Operation[Work]:
        return Operation(
            user,
            file_system,
            work,
            now + self._limits.operation_seconds,
            release,
            self._lanes.get(file_system) or _Lane(moved_at=now),
            self._shares.get(user) or _Share(),
        )

    def _enter(self, operation: Operation[Work]) -> None:
        self._lanes[operation.file_system] = operation.lane
        self._shares[operation.user] = operation.share
        operation.share.in_flight += 1
        operation.share.limited += not operation.release

    def _leave(self, operation: Operation[Work]) -> None:
        operation.phase = Phase.OVER
        lane, share = operation.lane, operation.share
        share.in_flight -= 1
        share.limited -= not operation.release
        if not share.in_flight:
            del self._shares[operation.user]
        if not (lane.running or lane.waiting or lane.releases):
            del self._lanes[operation.file_system]

    def _start(self, operation: Operation[Work], now: float) -> None:
        lane = operation.lane
        if self._hung(lane):
            lane.probed_at = now
            lane.probes += 1
        operation.phase = Phase.RUNNING
        operation.deadline = now + self._limits.operation_seconds
        lane.running += 1
        self._threads += 1
        self._running[operation] = None

    def _start_waiting(self, lane: _Lane[Work], now: float) -> list[Operation[Work]]:
        ready: list[Operation[Work]] = []
        while (lane.releases or lane.waiting) and self._has_room(lane) and not self._hung(lane):
            # Releases first: somebody may be waiting for the lock they give back.
            if lane.releases:
                operation = lane.releases.popleft()
            elif self._threads < self._limits.threads:
                operation, _ = lane.waiting.popitem(last=False)
                del self._waiting[operation]
            else:
                break
            self._start(operation, now)
            ready.append(operation)
        return ready

    def _become_stuck(self, operation: Operation[Work], now: float) -> None:
        operation.phase = Phase.STUCK
        lane = operation.lane
        lane.stuck += 1
        lane.unanswered += 1
        if lane.unanswered == self._limits.stuck_per_file_system:
            lane.probed_at = now
        operation.share.stuck += 1
        self._stuck += 1
        del self._running[operation]

    @staticmethod
    def _due(line: OrderedDict[Operation[Work], None], now: float) -> list[Operation[Work]]:
        due: list[Operation[Work]] = []
        for operation in line:
            if operation.deadline > now:
                break
            due.append(operation)
        return due
