"""Threads for blocking work that may never return.

Neither the reactor's own pool nor another ``twisted.python.threadpool`` will do: its threads are joined at exit, so
that one hung file system would keep a worker from ending; work queues behind stuck threads; and each result wakes the
reactor with a system call of its own. Here threads are daemons, the caller (``serving.admission``) decides how many
run, and results that arrive together wake the reactor once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from serving.errors import BulkheadFullError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Raised:
    """What a function raised instead of returning."""

    error: BaseException


class Threads(Protocol):
    """Runs blocking functions."""

    def run(self, function: Callable[[], T], done: Callable[[T | Raised], None]) -> None:
        """Call ``function`` in a thread at once, then ``done`` with its outcome in the reactor's thread."""


class DaemonThreads:
    """One thread for each function that runs; idle ones are used again, and none keeps the process from ending.

    ``run`` belongs to the reactor's thread. ``call_from_thread`` is the reactor's ``callFromThread``.
    """

    def __init__(self, call_from_thread: Callable[[Callable[[], None]], object]) -> None:
        self._call_from_thread = call_from_thread
        self._tasks: SimpleQueue[tuple[Callable[[], Any], Callable[[Any], None]]] = SimpleQueue()
        self._outcomes: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._delivery_due = False
        self._running = 0  # functions whose outcome has not been delivered
        self._started = 0

    def run(self, function: Callable[[], T], done: Callable[[T | Raised], None]) -> None:
        """Call ``function`` in a thread at once, then ``done`` with its outcome in the reactor's thread."""
        if self._running == self._started and not self._start_another() and not self._started:
            done(Raised(BulkheadFullError("no thread can be started")))
            return
        self._running += 1
        self._tasks.put((function, done))

    def _start_another(self) -> bool:
        try:
            threading.Thread(target=self._serve, name=f"bulkhead-{self._started + 1}", daemon=True).start()
        except RuntimeError:  # the kernel gives no more (RLIMIT_NPROC, pids.max): let the work wait for a thread
            return False
        self._started += 1
        return True

    def _serve(self) -> None:
        while True:
            function, done = self._tasks.get()
            outcome: Any
            try:
                outcome = function()
            except BaseException as error:  # whatever it is, the reactor's thread must hear of it
                outcome = Raised(error)
            self._outcomes.append((done, outcome))
            # Nothing may live on in this frame while it waits for the next task: it could be a whole mailbox.
            del function, done, outcome
            # Append, then look; _deliver lowers the flag, then empties. So whoever sees it raised will be served.
            if not self._delivery_due:
                self._delivery_due = True
                self._call_from_thread(self._deliver)

    def _deliver(self) -> None:
        self._delivery_due = False
        while self._outcomes:
            done, outcome = self._outcomes.popleft()
            self._running -= 1
            done(outcome)
