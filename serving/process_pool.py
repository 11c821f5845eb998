"""A few processes that do blocking work for a process with a reactor: jobs that hold the GIL, or may never return.

Jobs and results are frames. A process that dies or takes too long is killed and replaced, but never before the kernel
has let it go, so that work stuck in the kernel cannot pile up processes. A job that has waited too long is not begun:
whoever asked has gone or will ask again, and others would wait for it. What does not fit in the queue is refused.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall

from serving.channel import Channel, ChannelError, Frame, socket_pair
from serving.children import EXIT_SOFTWARE, leave_parent
from serving.exit_watcher import ExitWatcher
from serving.privileges import end_with_parent
from serving.reactor_channel import ReactorChannel

_log: Final = logging.getLogger(__name__)

RESTART_SECONDS: Final = 1.0  # a process that failed without work is not tried again sooner


class JobFailedError(Exception):
    """A job was not done: the queue was full, the process died, or it took too long."""


@dataclass(frozen=True, slots=True)
class _Job:
    """A job that waits."""

    frame: Frame
    result: Deferred[Frame]
    begin_by: float


class ProcessPool:
    """Runs ``work`` in ``count`` processes.

    Args:
        reactor: runs in this process.
        work: turns a job into its result; blocks; what it raises ends its process and fails the job.
        count: how many processes.
        queue_max: how many jobs may wait.
        queue_seconds: how long one may wait.
        job_seconds: how long one job may take, without the time it waited.
    """

    def __init__(
        self,
        reactor: Any,
        work: Callable[[Frame], Frame],
        *,
        count: int,
        queue_max: int,
        queue_seconds: float,
        job_seconds: float,
    ) -> None:
        self._reactor = reactor
        self._queue_max = queue_max
        self._queue_seconds = queue_seconds
        self._job_seconds = job_seconds
        self._queue: deque[_Job] = deque()
        self._closed = False
        self._processes: list[_Process] = []
        for _ in range(count):
            self._processes.append(_Process(reactor, work, self._freed))

    @property
    def waiting(self) -> int:
        """How many jobs wait for a process."""
        return len(self._queue)

    def run(self, job: Frame) -> Deferred[Frame]:
        """Have a job done; fails with JobFailedError."""
        if len(self._queue) >= self._queue_max or self._closed:
            return fail(JobFailedError("too many jobs wait"))
        result: Deferred[Frame] = Deferred()
        self._queue.append(_Job(job, result, self._reactor.seconds() + self._queue_seconds))
        self._freed()
        return result

    def close(self) -> None:
        """Kill the processes; jobs that wait fail."""
        self._closed = True
        while self._queue:
            self._queue.popleft().result.errback(JobFailedError("shut down"))
        for process in self._processes:
            process.close()

    def _freed(self) -> None:
        for process in self._processes:
            if process.idle and (job := self._next()) is not None:
                process.begin(job.frame, job.result, self._job_seconds)

    def _next(self) -> _Job | None:
        now = self._reactor.seconds()
        while self._queue:
            job = self._queue.popleft()
            if job.begin_by >= now:
                return job
            job.result.errback(JobFailedError("it waited too long"))
        return None


class _Process:
    """One place in a pool: a process, or the wait for the next one."""

    def __init__(self, reactor: Any, work: Callable[[Frame], Frame], freed: Callable[[], None]) -> None:
        self._reactor = reactor
        self._work = work
        self._freed = freed
        self._result: Deferred[Frame] | None = None
        self._limit: IDelayedCall | None = None
        self._restart: IDelayedCall | None = None
        self._closed = False
        self._channel: ReactorChannel | None = None
        self._pid: int | None = None
        self._start()

    @property
    def idle(self) -> bool:
        return self._channel is not None and self._result is None

    def begin(self, job: Frame, result: Deferred[Frame], seconds: float) -> None:
        assert self._channel is not None
        self._result = result
        self._limit = self._reactor.callLater(seconds, self._kill)
        self._channel.send(job)

    def close(self) -> None:
        self._closed = True
        if self._restart is not None:
            self._restart.cancel()
            self._restart = None
        self._kill()

    def _start(self) -> None:
        self._restart = None
        ours, theirs = socket_pair()
        parent = os.getpid()
        try:
            # The reactor's process has no other thread, and the child never touches its copy of the reactor.
            pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            self._start_later()
            return
        if pid == 0:
            _work_until_closed(theirs, self._work, parent)
        theirs.close()
        self._pid = pid
        self._channel = ReactorChannel(self._reactor, ours, self._done, self._kill)
        ExitWatcher(self._reactor, pid, self._ended)
        self._freed()

    def _done(self, frame: Frame) -> None:
        if (result := self._release()) is not None:
            result.callback(frame)
        self._freed()

    def _kill(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
        if (result := self._release()) is not None:
            result.errback(JobFailedError("the process died or took too long"))

    def _ended(self, status: int) -> None:
        del status
        self._kill()
        self._pid = None
        if not self._closed:
            self._start_later()

    def _start_later(self) -> None:
        self._restart = self._reactor.callLater(RESTART_SECONDS, self._start)

    def _release(self) -> Deferred[Frame] | None:
        result, self._result = self._result, None
        if self._limit is not None and self._limit.active():
            self._limit.cancel()
        self._limit = None
        return result


def _work_until_closed(end: socket.socket, work: Callable[[Frame], Frame], parent: int) -> NoReturn:
    status = EXIT_SOFTWARE
    try:
        leave_parent({end.fileno()})
        end_with_parent(parent)
        channel = Channel(end)
        with suppress(ChannelError):
            while (job := channel.receive()) is not None:
                channel.send(work(job))
        status = 0
    except BaseException:
        _log.critical("a process of the pool ends by an error", exc_info=True)
    finally:
        sys.stderr.flush()
        os._exit(status)
