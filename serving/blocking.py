"""Bulkheads: blocking maildrop work in threads, so that one user's hung home holds up nobody else.

``serving.admission`` decides what may run, ``serving.threads`` runs it; here both meet the reactor and its Deferreds.
Handing work to a thread and its result back costs 130 to 160 microseconds when nothing else is going on, ten times
reading 4 KiB in place, and 33 for each of 16 at once (``bench/hop_cost.py``, 2 cores, Python 3.11; the reactor's own
pool: 66). So whoever uses this does as much in one hop as it sensibly can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from serving.admission import Admission, AdmissionTotals, Operation, Phase
from serving.errors import BulkheadFullError, OperationTimedOutError
from serving.settings import LimitsSettings
from serving.threads import Raised, Threads
from spool.names import UserName

T = TypeVar("T")


class Clock(Protocol):
    """The part of ``IReactorTime`` that is needed here."""

    def seconds(self) -> float:
        """Monotonic time."""

    def callLater(self, delay: float, callable: Callable[..., object]) -> IDelayedCall:  # noqa: A002, N802
        """Call after ``delay`` seconds."""


@dataclass(slots=True)
class _Work:
    """What an operation does. ``deferred`` is None once its session has been answered or has gone."""

    function: Callable[[], Any]
    deferred: Deferred[Any] | None
    discard: Callable[[Any], object] | None = None
    returned: Callable[[], None] | None = None


class Bulkheads:
    """Runs blocking functions in threads within the limits; all methods belong to the reactor's thread.

    A session has one operation out at a time. Exceptions of the functions arrive as they are.

    Args:
        clock: the reactor.
        limits: see ``serving.admission``.
        threads: where functions run.
        ask_replacement: told why, once, when so many threads are stuck that a fresh process should take over.
    """

    _log = Logger()

    def __init__(
        self, clock: Clock, limits: LimitsSettings, threads: Threads, ask_replacement: Callable[[str], None]
    ) -> None:
        self._clock = clock
        self._limits = limits
        self._threads = threads
        self._ask_replacement = ask_replacement
        self._replacement_asked = False
        self._admission = Admission[_Work](limits)
        self._timer: IDelayedCall | None = None

    @property
    def totals(self) -> AdmissionTotals:
        """How many operations run, wait, are stuck and were refused."""
        return self._admission.totals

    def run(
        self,
        user: UserName,
        file_system: str,
        function: Callable[[], T],
        *,
        discard: Callable[[T], object] | None = None,
        returned: Callable[[], None] | None = None,
    ) -> Deferred[T]:
        """Call ``function`` in a thread.

        When the Deferred is cancelled, or the time limit has passed, the thread goes on nevertheless.

        Args:
            user: whose share the operation takes.
            file_system: on which it works, by its mount point.
            function: what to call.
            discard: takes, in a thread, a result that arrives when nobody waits for it any more.
            returned: called once, when nothing of this operation runs or will run: before the Deferred fires, or long
                after where it was given up.

        Returns:
            Fails with ``BulkheadFullError`` (nothing was called), with ``OperationTimedOutError`` (not known what was
            done), or with what ``function`` raised.
        """
        deferred: Deferred[T] = Deferred(lambda _: self._abandon(operation))
        work = _Work(function, deferred, discard, returned)
        try:
            operation = self._admission.admit(user, file_system, work, self._clock.seconds())
        except BulkheadFullError as error:
            if returned is not None:
                returned()
            return fail(error)
        self._begin(operation)
        return deferred

    def release(self, user: UserName, file_system: str, function: Callable[[], T]) -> Deferred[T]:
        """Call ``function``, which gives something back, in a thread.

        It is never refused and has no time limit; it may wait until the file system answers again.
        """
        deferred: Deferred[T] = Deferred()
        work = _Work(function, deferred)
        self._begin(self._admission.admit_release(user, file_system, work, self._clock.seconds()))
        return deferred

    def _begin(self, operation: Operation[_Work]) -> None:
        if operation.phase is Phase.RUNNING:
            self._start((operation,))
        self._watch()

    def _start(self, operations: Iterable[Operation[_Work]]) -> None:
        for operation in operations:
            self._threads.run(operation.work.function, partial(self._finished, operation))

    def _finished(self, operation: Operation[_Work], outcome: Any) -> None:
        work = operation.work
        late = work.deferred is None
        if late and isinstance(outcome, Raised):
            self._log.warn(
                "operation failed after it was given up",
                user=str(operation.user),
                file_system=operation.file_system,
                error=repr(outcome.error),
            )
        elif late and work.discard is not None:
            # Still the same operation to the admission: its thread is not free before this is done too.
            discard, work.discard = work.discard, None
            self._threads.run(partial(discard, outcome), partial(self._finished, operation))
            return
        self._start(self._admission.returned(operation, self._clock.seconds()))
        self._settle(work, outcome)

    def _settle(self, work: _Work, outcome: Any) -> None:
        """Tell whoever waits; nothing of the operation runs or will run."""
        deferred, work.deferred = work.deferred, None
        if work.returned is not None:
            work.returned()
        if deferred is None:
            return
        if isinstance(outcome, Raised):
            deferred.errback(outcome.error)
        else:
            deferred.callback(outcome)

    def _abandon(self, operation: Operation[_Work]) -> None:
        operation.work.deferred = None
        if self._admission.withdraw(operation):
            self._settle(operation.work, None)

    def _watch(self) -> None:
        # One timer for all: every operation has the same time, so the next deadline only moves on.
        deadline = self._admission.next_deadline
        if self._timer is None and deadline is not None:
            self._timer = self._clock.callLater(max(0.0, deadline - self._clock.seconds()), self._look_for_overdue)

    def _look_for_overdue(self) -> None:
        self._timer = None
        overdue = self._admission.overdue(self._clock.seconds())
        self._start(overdue.ready)
        for operation in overdue.stuck:
            self._log.warn("operation is stuck", user=str(operation.user), file_system=operation.file_system)
            deferred = operation.work.deferred
            if deferred is not None and not operation.release:
                operation.work.deferred = None
                deferred.errback(self._timed_out(operation))
        for operation in overdue.withdrawn:
            self._settle(operation.work, Raised(self._timed_out(operation)))
        if self._admission.should_be_replaced and not self._replacement_asked:
            self._replacement_asked = True
            self._ask_replacement(f"{self.totals.stuck} threads are stuck")
        self._watch()

    def _timed_out(self, operation: Operation[_Work]) -> OperationTimedOutError:
        seconds = self._limits.operation_seconds
        return OperationTimedOutError(f"{operation.user} on {operation.file_system}: no answer in {seconds:g} seconds")
