from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from serving.admission import PATIENCE_SECONDS, Admission, AdmissionTotals, Operation, Phase
from serving.errors import BulkheadFullError
from serving.settings import LimitsSettings
from spool.names import UserName

LIMITS = LimitsSettings(
    operations_per_user=2,
    operations_per_file_system=3,
    operation_seconds=20,
    stuck_per_file_system=2,
    probe_seconds=15,
    threads=8,
    stuck_threads=6,
)


def user(number: int) -> UserName:
    return UserName(f"user{number}")


def fill(admission: Admission[str], count: int, *, now: float = 0, first: int = 0) -> list[Operation[str]]:
    """Let in one operation each of ``count`` users, all on ``/mail``."""
    return [admission.admit(user(first + number), "/mail", "", now) for number in range(count)]


def hang(admission: Admission[str]) -> list[Operation[str]]:
    """Make ``/mail`` hang, at 20 seconds."""
    operations = fill(admission, LIMITS.stuck_per_file_system)
    assert admission.overdue(20).stuck == operations
    return operations


def test_an_operation_runs_at_once_and_leaves_nothing_behind() -> None:
    admission = Admission[str](LIMITS)
    operation = admission.admit(user(1), "/mail", "work", 0)
    assert (operation.phase, operation.work) == (Phase.RUNNING, "work")
    assert admission.returned(operation, 1) == []
    assert operation.phase is Phase.OVER
    assert admission.totals == AdmissionTotals(running=0, waiting=0, stuck=0, refused=0, hung_file_systems=())
    assert admission.next_deadline is None


def test_one_user_cannot_have_more_than_their_share_in_flight() -> None:
    admission = Admission[str](LIMITS)
    admission.admit(user(1), "/mail", "", 0)
    admission.admit(user(1), "/other", "", 0)
    with pytest.raises(BulkheadFullError, match="user1 on /mail: this user has 2 operations in flight"):
        admission.admit(user(1), "/mail", "", 0)
    assert admission.totals.refused == 1


def test_what_is_beyond_a_file_systems_share_waits_while_others_return() -> None:
    admission = Admission[str](LIMITS)
    first, *_ = fill(admission, 3)
    waiting = admission.admit(user(9), "/mail", "", PATIENCE_SECONDS)
    assert admission.totals.waiting == 1
    assert admission.returned(first, 2) == [waiting]
    assert waiting.phase is Phase.RUNNING


def test_the_waiting_run_in_the_order_they_came() -> None:
    admission = Admission[str](LIMITS)
    running = fill(admission, 3)
    waiting = fill(admission, 3, first=10)
    assert [admission.returned(operation, 1)[0] for operation in running] == waiting


def test_what_is_beyond_a_file_systems_share_is_refused_when_nothing_returns() -> None:
    admission = Admission[str](LIMITS)
    fill(admission, 3)
    with pytest.raises(BulkheadFullError, match="none of 3 operations has returned lately"):
        admission.admit(user(9), "/mail", "", 1.5 * PATIENCE_SECONDS)


def test_another_file_system_does_not_notice_a_full_one() -> None:
    admission = Admission[str](LIMITS)
    fill(admission, 3)
    assert admission.admit(user(9), "/other", "", 5).phase is Phase.RUNNING


def test_nothing_more_is_admitted_when_all_threads_are_taken() -> None:
    admission = Admission[str](LIMITS)
    for number in range(8):
        admission.admit(user(number), f"/mail{number}", "", 0)
    with pytest.raises(BulkheadFullError, match="all 8 threads are taken"):
        admission.admit(user(9), "/mail9", "", 0)


def test_an_operation_out_for_too_long_is_stuck() -> None:
    admission = Admission[str](LIMITS)
    operation = admission.admit(user(1), "/mail", "", 5)
    assert admission.next_deadline == 25
    assert admission.overdue(24.9).stuck == []
    assert admission.overdue(25).stuck == [operation]
    assert operation.phase is Phase.STUCK
    assert admission.totals.stuck == 1
    assert admission.next_deadline is None


def test_a_user_with_a_stuck_operation_is_refused_until_it_returns() -> None:
    admission = Admission[str](LIMITS)
    operation = admission.admit(user(1), "/mail", "", 0)
    admission.overdue(20)
    with pytest.raises(BulkheadFullError, match="an operation of this user does not return"):
        admission.admit(user(1), "/other", "", 21)
    admission.returned(operation, 22)
    assert admission.admit(user(1), "/other", "", 23).phase is Phase.RUNNING


def test_other_users_go_on_beside_a_stuck_one() -> None:
    admission = Admission[str](LIMITS)
    admission.admit(user(1), "/mail", "", 0)
    admission.overdue(20)
    assert [operation.phase for operation in fill(admission, 3, now=21, first=2)] == [Phase.RUNNING] * 3


def test_what_waited_too_long_is_withdrawn() -> None:
    admission = Admission[str](LIMITS)
    running = fill(admission, 3)
    waiting = admission.admit(user(9), "/mail", "", 0)
    admission.returned(running[0], 1)
    another = admission.admit(user(8), "/mail", "", 1)
    assert waiting.phase is Phase.RUNNING
    overdue = admission.overdue(21)
    assert overdue.stuck == [*running[1:], waiting]
    assert overdue.withdrawn == [another]
    assert another.phase is Phase.OVER


def test_stuck_operations_take_no_place_on_a_file_system_that_answers() -> None:
    admission = Admission[str](LIMITS)
    first, second, stuck = fill(admission, 3)
    admission.returned(first, 19)
    admission.returned(second, 19)
    fill(admission, 2, now=19.5, first=5)
    waiting = admission.admit(user(9), "/mail", "", 19.5)
    overdue = admission.overdue(20)
    assert overdue.stuck == [stuck]
    assert overdue.ready == [waiting]


def test_waiting_operations_do_not_take_threads_beyond_all() -> None:
    admission = Admission[str](LimitsSettings(operations_per_file_system=1, threads=1, stuck_threads=1))
    admission.admit(user(1), "/mail", "", 0)
    with pytest.raises(BulkheadFullError):
        admission.admit(user(2), "/mail", "", 0)
    admission = Admission[str](LimitsSettings(operations_per_file_system=1, threads=2, stuck_threads=1))
    first = admission.admit(user(1), "/mail", "", 0)
    waiting = admission.admit(user(2), "/mail", "", 0.5)
    admission.admit(user(3), "/other", "", 0.5)
    overdue = admission.overdue(20)
    assert (overdue.stuck, overdue.ready) == ([first], [])
    assert admission.returned(first, 20.1) == [waiting]


def test_a_hung_file_system_is_refused_at_once() -> None:
    admission = Admission[str](LIMITS)
    hang(admission)
    assert admission.totals.hung_file_systems == ("/mail",)
    with pytest.raises(BulkheadFullError, match="the file system hangs, 2 operations are stuck"):
        admission.admit(user(9), "/mail", "", 21)


def test_a_hung_file_system_is_probed_at_growing_intervals() -> None:
    admission = Admission[str](LIMITS)
    hang(admission)
    let_through = []
    for second in range(20, 200):
        admission.overdue(second)
        try:
            admission.admit(user(second), "/mail", "", second)
        except BulkheadFullError:
            continue
        let_through.append(second)
    assert let_through == [20 + 15, 20 + 15 + 30, 20 + 15 + 30 + 60]


def test_a_file_system_is_trusted_again_when_anything_returns() -> None:
    admission = Admission[str](LIMITS)
    hang(admission)
    probe = admission.admit(user(9), "/mail", "", 40)
    admission.returned(probe, 41)
    assert admission.totals.hung_file_systems == ()
    assert admission.totals.stuck == 2
    assert len(fill(admission, 3, now=42, first=10)) == 3


def test_a_hung_file_system_has_no_more_probes_out_than_operations_may_run() -> None:
    limits = LimitsSettings(
        operations_per_file_system=1, stuck_per_file_system=1, operation_seconds=20, probe_seconds=1
    )
    admission = Admission[str](limits)
    admission.admit(user(1), "/mail", "", 0)
    admission.overdue(20)
    admission.admit(user(2), "/mail", "", 21)
    with pytest.raises(BulkheadFullError, match="hangs"):
        admission.admit(user(3), "/mail", "", 30)


def test_the_worker_should_be_replaced_when_too_many_threads_are_stuck() -> None:
    admission = Admission[str](LIMITS)
    operations = [admission.admit(user(number), f"/mail{number}", "", 0) for number in range(6)]
    assert not admission.should_be_replaced
    admission.overdue(20)
    assert admission.should_be_replaced
    admission.returned(operations[0], 21)
    assert not admission.should_be_replaced


def test_a_waiting_operation_can_be_withdrawn_and_a_running_one_not() -> None:
    admission = Admission[str](LIMITS)
    running, *_ = fill(admission, 3)
    waiting = admission.admit(user(9), "/mail", "", 0)
    assert admission.withdraw(waiting)
    assert not admission.withdraw(waiting)
    assert not admission.withdraw(running)
    assert admission.returned(running, 1) == []


def test_a_release_runs_beyond_its_users_share_and_the_number_of_threads() -> None:
    admission = Admission[str](LIMITS)
    for number in range(8):
        admission.admit(user(number // 2), f"/mail{number}", "", 0)
    assert admission.admit_release(user(1), "/mail1", "", 0).phase is Phase.RUNNING


def test_a_release_waits_for_its_place_and_goes_first() -> None:
    admission = Admission[str](LIMITS)
    running = fill(admission, 3)
    waiting = admission.admit(user(9), "/mail", "", 0)
    release = admission.admit_release(user(9), "/mail", "", 0)
    assert not admission.withdraw(release)
    assert admission.totals.waiting == 2
    assert admission.returned(running[0], 1) == [release]
    assert admission.returned(release, 2) == [waiting]


def test_a_release_on_a_hung_file_system_waits_until_it_answers() -> None:
    admission = Admission[str](LIMITS)
    stuck, _ = hang(admission)
    release = admission.admit_release(user(9), "/mail", "", 60)
    assert release.phase is Phase.WAITING
    assert admission.overdue(1000).withdrawn == []
    assert admission.returned(stuck, 1001) == [release]


def test_a_stuck_release_keeps_its_user_out() -> None:
    admission = Admission[str](LIMITS)
    release = admission.admit_release(user(1), "/mail", "", 0)
    admission.overdue(20)
    with pytest.raises(BulkheadFullError, match="does not return"):
        admission.admit(user(1), "/mail", "", 21)
    admission.returned(release, 22)
    assert admission.admit(user(1), "/mail", "", 23).phase is Phase.RUNNING


class AdmissionHistories(RuleBasedStateMachine):
    """Plays random histories and holds the limits to what a plain list of operations shows."""

    def __init__(self) -> None:
        super().__init__()
        self.admission = Admission[str](LIMITS)
        self.now = 0.0
        self.operations: list[Operation[str]] = []

    def in_phase(self, *phases: Phase) -> list[Operation[str]]:
        return [operation for operation in self.operations if operation.phase in phases]

    @rule(number=st.integers(0, 9), file_system=st.sampled_from(["/a", "/b", "/c"]))
    def admit(self, number: int, file_system: str) -> None:
        before = self.admission.totals
        try:
            self.operations.append(self.admission.admit(user(number), file_system, "", self.now))
        except BulkheadFullError:
            after = self.admission.totals
            assert after.refused == before.refused + 1
            assert (after.running, after.waiting) == (before.running, before.waiting)

    @rule(number=st.integers(0, 9), file_system=st.sampled_from(["/a", "/b", "/c"]))
    def release(self, number: int, file_system: str) -> None:
        self.operations.append(self.admission.admit_release(user(number), file_system, "", self.now))

    @rule(seconds=st.sampled_from([0.1, 0.6, 5.0, 21.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.now += seconds
        self.admission.overdue(self.now)

    @precondition(lambda self: self.in_phase(Phase.RUNNING, Phase.STUCK))
    @rule(data=st.data())
    def one_returns(self, data: st.DataObject) -> None:
        operation = data.draw(st.sampled_from(self.in_phase(Phase.RUNNING, Phase.STUCK)))
        self.admission.returned(operation, self.now)

    @precondition(lambda self: self.in_phase(Phase.WAITING))
    @rule(data=st.data())
    def one_is_withdrawn(self, data: st.DataObject) -> None:
        operation = data.draw(st.sampled_from(self.in_phase(Phase.WAITING)))
        assert self.admission.withdraw(operation) is not operation.release

    @invariant()
    def the_totals_are_what_the_operations_say(self) -> None:
        totals = self.admission.totals
        assert totals.running == len(self.in_phase(Phase.RUNNING, Phase.STUCK))
        assert totals.stuck == len(self.in_phase(Phase.STUCK))
        assert totals.waiting == len(self.in_phase(Phase.WAITING))

    @invariant()
    def no_user_and_no_file_system_has_more_than_its_share(self) -> None:
        in_flight = [item for item in self.in_phase(Phase.WAITING, Phase.RUNNING, Phase.STUCK) if not item.release]
        for number in range(10):
            assert sum(item.user == user(number) for item in in_flight) <= LIMITS.operations_per_user
        for file_system in "/a", "/b", "/c":
            running = [item for item in self.in_phase(Phase.RUNNING) if item.file_system == file_system]
            assert len(running) <= LIMITS.operations_per_file_system

    @invariant()
    def threads_beyond_the_limit_are_taken_by_releases_only(self) -> None:
        out = self.in_phase(Phase.RUNNING, Phase.STUCK)
        assert sum(not item.release for item in out) <= LIMITS.threads

    @invariant()
    def nothing_waits_without_a_reason(self) -> None:
        for operation in self.in_phase(Phase.WAITING):
            busy = [item for item in self.in_phase(Phase.RUNNING) if item.file_system == operation.file_system]
            hung = operation.file_system in self.admission.totals.hung_file_systems
            full = len(busy) == LIMITS.operations_per_file_system
            no_thread = self.admission.totals.running >= LIMITS.threads and not operation.release
            # A thread that came free elsewhere is not given to a waiting one: its time limit ends the wait.
            assert hung or full or no_thread or not operation.release

    def teardown(self) -> None:
        while out := self.in_phase(Phase.RUNNING, Phase.STUCK):
            self.admission.returned(out[0], self.now)
        for operation in self.in_phase(Phase.WAITING):
            assert self.admission.withdraw(operation), "a release was left waiting with nothing running"
        totals = self.admission.totals
        assert (totals.running, totals.waiting, totals.stuck) == (0, 0, 0)
        assert not self.admission._shares
        assert not self.admission._lanes


AdmissionHistories.TestCase.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
test_random_histories_keep_every_limit = AdmissionHistories.TestCase
