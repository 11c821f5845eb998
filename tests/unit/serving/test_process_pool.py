from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from twisted.internet.defer import Deferred

from serving.channel import Frame
from serving.process_pool import JobFailedError, ProcessPool
from tests.unit.serving.loop import Loop


def work(job: Frame) -> Frame:
    match job.text("do"):
        case "pid":
            return Frame({"pid": os.getpid()})
        case "hang":
            time.sleep(1000)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case _:
            pass
    raise ValueError("no such work")


Start = Callable[..., ProcessPool]


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def start(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    monkeypatch.setattr("serving.process_pool.RESTART_SECONDS", 0.01)
    pools: list[ProcessPool] = []

    def begin(
        *, count: int = 1, queue_max: int = 100, queue_seconds: float = 60.0, job_seconds: float = 60.0
    ) -> ProcessPool:
        pools.append(
            ProcessPool(
                loop.reactor,
                work,
                count=count,
                queue_max=queue_max,
                queue_seconds=queue_seconds,
                job_seconds=job_seconds,
            )
        )
        return pools[-1]

    yield begin
    for pool in pools:
        pool.close()
    loop.until(lambda: all(process._pid is None for pool in pools for process in pool._processes))


def ask(pool: ProcessPool, what: str = "pid") -> Deferred[Frame]:
    return pool.run(Frame({"do": what}))


def test_a_job_is_done_in_another_process_which_is_used_again(loop: Loop, start: Start) -> None:
    pool = start()
    pids = {loop.wait(ask(pool)).number("pid") for _ in range(3)}
    assert len(pids) == 1
    assert pids != {os.getpid()}


def test_jobs_run_beside_each_other_and_the_rest_wait_in_their_order(loop: Loop, start: Start) -> None:
    pool = start(count=2)
    hanging = ask(pool, "hang")
    hanging.addErrback(lambda _: None)
    done = [ask(pool) for _ in range(3)]
    assert pool.waiting == 2
    pids = [loop.wait(each).number("pid") for each in done]
    assert len(set(pids)) == 1
    assert not hanging.called


@pytest.mark.parametrize("what", ["die", "raise"])
def test_a_job_whose_process_ends_fails_and_the_next_has_another_process(loop: Loop, start: Start, what: str) -> None:
    pool = start()
    before = loop.wait(ask(pool)).number("pid")
    with pytest.raises(JobFailedError):
        loop.wait(ask(pool, what))
    assert loop.wait(ask(pool)).number("pid") != before


def test_a_job_that_takes_too_long_fails_and_its_process_is_killed(loop: Loop, start: Start) -> None:
    pool = start(job_seconds=0.05)
    with pytest.raises(JobFailedError):
        loop.wait(ask(pool, "hang"))
    loop.wait(ask(pool))


def test_a_job_that_has_waited_too_long_is_not_begun(loop: Loop, start: Start) -> None:
    pool = start(queue_seconds=0.05, job_seconds=0.1)
    hanging, late = ask(pool, "hang"), ask(pool)
    with pytest.raises(JobFailedError):
        loop.wait(hanging)
    with pytest.raises(JobFailedError, match="waited too long"):
        loop.wait(late)
    loop.wait(ask(pool))


def test_more_jobs_than_may_wait_are_refused_at_once(loop: Loop, start: Start) -> None:
    pool = start(queue_max=1)
    for each in (ask(pool, "hang"), ask(pool)):
        each.addErrback(lambda _: None)
    with pytest.raises(JobFailedError, match="too many"):
        loop.wait(ask(pool))


def test_closing_fails_what_runs_and_what_waits(loop: Loop, start: Start) -> None:
    pool = start()
    running, waiting = ask(pool, "hang"), ask(pool)
    pool.close()
    for each in (running, waiting, ask(pool)):
        with pytest.raises(JobFailedError):
            loop.wait(each)
