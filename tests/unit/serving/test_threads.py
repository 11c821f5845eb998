from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

import pytest

from serving.errors import BulkheadFullError
from serving.threads import DaemonThreads, Raised

PATIENCE_SECONDS = 20.0  # only a failing test waits so long


class Reactor:
    """The reactor's side: calls come from threads, and run when the test asks for them."""

    def __init__(self) -> None:
        self.calls: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def call_from_thread(self, function: Callable[[], None]) -> None:
        self.calls.put(function)

    def next_call(self) -> None:
        self.calls.get(timeout=PATIENCE_SECONDS)()


class Gate:
    """A function that returns its thread's name when the test opens the gate."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self) -> str:
        self.entered.set()
        assert self.opened.wait(PATIENCE_SECONDS)
        return threading.current_thread().name


def test_a_function_runs_in_a_daemon_thread_and_its_outcome_comes_back() -> None:
    reactor, outcomes = Reactor(), list[object]()
    DaemonThreads(reactor.call_from_thread).run(lambda: threading.current_thread().daemon, outcomes.append)
    assert outcomes == []
    reactor.next_call()
    assert outcomes == [True]


def test_what_a_function_raises_comes_back() -> None:
    reactor, outcomes = Reactor(), list[object]()
    error = KeyError("x")

    def fail() -> None:
        raise error

    DaemonThreads(reactor.call_from_thread).run(fail, outcomes.append)
    reactor.next_call()
    assert outcomes == [Raised(error)]


def test_functions_run_beside_each_other() -> None:
    reactor, outcomes = Reactor(), list[str | Raised]()
    threads = DaemonThreads(reactor.call_from_thread)
    first, second = Gate(), Gate()
    threads.run(first, outcomes.append)
    threads.run(second, outcomes.append)
    assert first.entered.wait(PATIENCE_SECONDS)
    assert second.entered.wait(PATIENCE_SECONDS)
    second.opened.set()
    reactor.next_call()
    assert len(outcomes) == 1  # while the first still runs
    first.opened.set()
    reactor.next_call()
    assert set(outcomes) == {"bulkhead-1", "bulkhead-2"}


def test_an_idle_thread_is_used_again() -> None:
    reactor, outcomes = Reactor(), list[str | Raised]()
    threads = DaemonThreads(reactor.call_from_thread)
    for _ in range(3):
        threads.run(lambda: threading.current_thread().name, outcomes.append)
        reactor.next_call()
    assert outcomes == ["bulkhead-1"] * 3


def test_outcomes_that_arrive_together_wake_the_reactor_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reactor, outcomes = Reactor(), list[object]()
    threads = DaemonThreads(reactor.call_from_thread)
    first, last = Gate(), Gate()
    threads.run(first, outcomes.append)
    # One thread does all in turn, so that it has done with what comes before the last when it enters that.
    monkeypatch.setattr(threading.Thread, "start", _refuse_to_start)
    threads.run(lambda: "second", outcomes.append)
    threads.run(last, outcomes.append)
    first.opened.set()
    assert last.entered.wait(PATIENCE_SECONDS)
    reactor.next_call()
    assert outcomes == ["bulkhead-1", "second"]
    assert reactor.calls.empty()
    last.opened.set()


def test_work_waits_for_a_thread_when_the_kernel_gives_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    reactor, outcomes = Reactor(), list[str | Raised]()
    threads = DaemonThreads(reactor.call_from_thread)
    first = Gate()
    threads.run(first, outcomes.append)
    monkeypatch.setattr(threading.Thread, "start", _refuse_to_start)
    threads.run(lambda: threading.current_thread().name, outcomes.append)
    first.opened.set()
    while len(outcomes) < 2:
        reactor.next_call()
    assert outcomes == ["bulkhead-1", "bulkhead-1"]


def test_work_is_refused_when_the_kernel_gives_no_thread_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = list[object]()
    monkeypatch.setattr(threading.Thread, "start", _refuse_to_start)
    DaemonThreads(Reactor().call_from_thread).run(lambda: None, outcomes.append)
    [outcome] = outcomes
    assert isinstance(outcome, Raised)
    assert isinstance(outcome.error, BulkheadFullError)


def _refuse_to_start(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")
