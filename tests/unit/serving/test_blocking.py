from __future__ import annotations

from functools import partial

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from serving.blocking import Bulkheads
from serving.errors import BulkheadFullError, OperationTimedOutError
from serving.settings import LimitsSettings
from spool.errors import MailboxBusyError
from spool.names import UserName
from tests.unit.serving.held_threads import HeldThreads

ALICE, BOB, CAROL = UserName("alice"), UserName("bob"), UserName("carol")
REASON = "2 threads are stuck"
LIMITS = LimitsSettings(operations_per_file_system=1, operation_seconds=20, stuck_threads=2)


class Site:
    """Bulkheads over a clock and threads that the test moves."""

    def __init__(self, limits: LimitsSettings = LIMITS) -> None:
        self.clock = Clock()
        self.threads = HeldThreads()
        self.reasons: list[str] = []
        self.bulkheads = Bulkheads(self.clock, limits, self.threads, self.reasons.append)


def outcomes_of(deferred: Deferred[str]) -> list[object]:
    """Collect what a Deferred fires with: the value, or the exception."""
    outcomes: list[object] = []
    deferred.addCallbacks(outcomes.append, lambda failure: outcomes.append(failure.value))
    return outcomes


def test_a_result_arrives_after_the_thread_has_returned() -> None:
    site = Site()
    outcomes = outcomes_of(site.bulkheads.run(ALICE, "/mail", lambda: "mail"))
    assert outcomes == []
    site.threads.go()
    assert outcomes == ["mail"]
    assert site.bulkheads.totals.running == 0


def test_an_exception_arrives_as_it_is() -> None:
    site = Site()
    error = MailboxBusyError("held by another")

    def fail() -> str:
        raise error

    outcomes = outcomes_of(site.bulkheads.run(ALICE, "/mail", fail))
    site.threads.go()
    assert outcomes == [error]


def test_what_is_refused_fails_at_once_and_says_that_nothing_runs() -> None:
    site = Site()
    returned = list[str]()
    for _ in range(2):
        site.bulkheads.run(ALICE, "/mail", lambda: "")
    outcomes = outcomes_of(site.bulkheads.run(ALICE, "/mail", lambda: "", returned=lambda: returned.append("returned")))
    assert isinstance(outcomes[0], BulkheadFullError)
    assert returned == ["returned"]
    outcomes = outcomes_of(site.bulkheads.run(ALICE, "/mail", lambda: ""))
    assert isinstance(outcomes[0], BulkheadFullError)
    assert site.bulkheads.totals.refused == 2


def test_what_waits_runs_when_its_turn_comes() -> None:
    site = Site()
    site.bulkheads.run(ALICE, "/mail", lambda: "")
    outcomes = outcomes_of(site.bulkheads.run(BOB, "/mail", lambda: "second"))
    assert len(site.threads.held) == 1
    site.threads.go()
    assert len(site.threads.held) == 1
    site.threads.go()
    assert outcomes == ["second"]


def test_an_operation_that_does_not_return_fails_when_its_time_is_over() -> None:
    site = Site()
    returned = list[str]()
    outcomes = outcomes_of(site.bulkheads.run(ALICE, "/mail", lambda: "", returned=lambda: returned.append("returned")))
    site.clock.advance(19.9)
    assert outcomes == []
    site.clock.advance(0.1)
    [error] = outcomes
    assert isinstance(error, OperationTimedOutError)
    assert str(error) == "alice on /mail: no answer in 20 seconds"
    assert returned == []
    site.threads.go()
    assert returned == ["returned"]
    assert len(outcomes) == 1


def test_one_that_waits_in_vain_is_never_begun() -> None:
    site = Site()
    called = list[str]()

    def call() -> str:
        called.append("called")
        return ""

    site.bulkheads.run(ALICE, "/mail", lambda: "").addErrback(lambda _: None)
    waiting = site.bulkheads.run(BOB, "/mail", call)
    outcomes = outcomes_of(waiting)
    site.clock.advance(10)
    site.threads.go()
    third = outcomes_of(site.bulkheads.run(CAROL, "/mail", call))
    site.clock.advance(20)
    assert isinstance(third[0], OperationTimedOutError)
    assert isinstance(outcomes[0], OperationTimedOutError)
    site.threads.go_on()
    assert called == ["called"]


def test_operations_within_their_time_do_not_hear_of_the_timer() -> None:
    site = Site()
    site.bulkheads.run(ALICE, "/mail", lambda: "")
    site.clock.advance(15)
    site.threads.go()
    outcomes = outcomes_of(site.bulkheads.run(ALICE, "/mail", lambda: "in time"))
    site.clock.advance(15)
    site.threads.go()
    assert outcomes == ["in time"]


def test_a_late_result_is_discarded_in_a_thread_before_its_place_is_free() -> None:
    site = Site()
    discarded = list[tuple[str, bool]]()
    returned = list[str]()
    site.bulkheads.run(
        ALICE,
        "/mail",
        lambda: "maildrop",
        discard=lambda result: discarded.append((result, site.threads.inside)),
        returned=lambda: returned.append("returned"),
    ).addErrback(lambda _: None)
    site.clock.advance(20)
    site.threads.go()
    assert (discarded, returned) == ([], [])
    site.threads.go()
    assert (discarded, returned) == ([("maildrop", True)], ["returned"])
    assert site.bulkheads.totals.running == 0


def test_a_late_failure_is_logged_and_not_discarded() -> None:
    site = Site()
    discarded = list[str]()

    def fail() -> str:
        raise MailboxBusyError("held by another")

    site.bulkheads.run(ALICE, "/mail", fail, discard=discarded.append).addErrback(lambda _: None)
    site.clock.advance(20)
    with capturedLogs() as events:
        site.threads.go()
    assert discarded == []
    assert [event["error"] for event in events] == ["MailboxBusyError('held by another')"]


def test_cancelling_gives_up_the_result_and_keeps_the_place_until_the_thread_is_back() -> None:
    site = Site()
    discarded = list[str]()
    deferred = site.bulkheads.run(ALICE, "/mail", lambda: "maildrop", discard=discarded.append)
    outcomes = outcomes_of(deferred)
    deferred.cancel()
    assert isinstance(outcomes[0], CancelledError)
    assert site.bulkheads.totals.running == 1
    site.threads.go_on()
    assert discarded == ["maildrop"]
    assert site.bulkheads.totals.running == 0


def test_a_cancelled_operation_that_hangs_is_stuck_like_any_other() -> None:
    site = Site()
    deferred = site.bulkheads.run(ALICE, "/mail", lambda: "")
    outcomes = outcomes_of(deferred)
    deferred.cancel()
    site.clock.advance(20)
    assert site.bulkheads.totals.stuck == 1
    assert len(outcomes) == 1


def test_cancelling_one_that_waits_takes_it_from_the_line() -> None:
    site = Site()
    returned = list[str]()
    site.bulkheads.run(ALICE, "/mail", lambda: "")
    deferred = site.bulkheads.run(BOB, "/mail", lambda: "", returned=lambda: returned.append("returned"))
    outcomes = outcomes_of(deferred)
    deferred.cancel()
    assert isinstance(outcomes[0], CancelledError)
    assert returned == ["returned"]
    site.threads.go()
    assert site.threads.held == []


def test_a_release_waits_however_long_it_takes() -> None:
    site = Site()
    outcomes = outcomes_of(site.bulkheads.release(ALICE, "/mail", lambda: "released"))
    site.clock.advance(1000)
    assert outcomes == []
    assert site.bulkheads.totals.stuck == 1
    site.threads.go()
    assert outcomes == ["released"]


def test_a_replacement_is_asked_for_once_when_too_many_threads_are_stuck() -> None:
    site = Site()
    for user, file_system, reasons in (ALICE, "/a", []), (BOB, "/b", [REASON]), (CAROL, "/c", [REASON]):
        site.bulkheads.run(user, file_system, lambda: "").addErrback(lambda _: None)
        site.clock.advance(20)
        assert site.reasons == reasons


@pytest.mark.parametrize("hung_users", [1, 30])
def test_hung_homes_do_not_delay_another_file_system(hung_users: int) -> None:
    site = Site(LimitsSettings(operation_seconds=20))
    failures = list[Failure]()
    for second in range(60):
        for number in range(hung_users):
            site.bulkheads.run(UserName(f"hung{number}"), f"/home/{number}", lambda: "").addErrback(failures.append)
        outcomes = outcomes_of(site.bulkheads.run(ALICE, "/mail", partial(str, second)))
        site.threads.go(-1)
        assert outcomes == [str(second)]
        site.clock.advance(1)
    assert site.bulkheads.totals.running == 2 * hung_users
    assert len(failures) == 60 * hung_users
