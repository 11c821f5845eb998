"""Which users' programs may run: slots, shares, the penalty box, forgiving."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from serving import program_admission
from serving.program_admission import NoSlotError, ProgramAdmission, ProgramAdmissionSettings
from spool.names import UserName

FRED, MARY = UserName("fred"), UserName("mary")
SETTINGS = ProgramAdmissionSettings(
    slots=8, per_user=1, slow_seconds=10.0, penalty_first_seconds=30.0, penalty_seconds_max=200.0
)


class World:
    """The admission of programs, and a clock that stands still until it is moved."""

    def __init__(self, settings: ProgramAdmissionSettings = SETTINGS) -> None:
        self.now = 1000.0
        self.admission = ProgramAdmission(settings, lambda: self.now)

    def run(self, user: UserName, *, seconds: float = 1.0, failed: bool = False) -> None:
        self.admission.admit(user)
        self.now += seconds
        self.admission.ended(user, seconds=seconds, failed=failed)

    def admits(self, user: UserName, at_most: int | None = None) -> bool:
        try:
            self.admission.admit(user, at_most)
        except NoSlotError:
            return False
        return True


@pytest.fixture
def world() -> World:
    return World()


def users(name: str, count: int) -> list[UserName]:
    return [UserName(f"{name}{number}") for number in range(count)]


def test_a_user_has_one_program_at_a_time(world: World) -> None:
    world.admission.admit(FRED)
    with pytest.raises(NoSlotError, match="fred: 1 programs of this user are running, and no more than 1 may"):
        world.admission.admit(FRED)
    world.admission.ended(FRED, seconds=1.0, failed=False)
    world.admission.admit(FRED)


def test_a_user_may_be_given_more_or_none(world: World) -> None:
    assert [world.admits(FRED, 2) for _ in range(3)] == [True, True, False]
    assert not world.admits(MARY, 0)


def test_a_quarter_of_the_slots_is_kept_for_proven_users(world: World) -> None:
    world.run(FRED)
    world.run(MARY)
    assert sum(world.admits(user) for user in users("unknown", 30)) == 6
    assert world.admits(FRED)
    assert world.admits(MARY)
    assert world.admission.counters() == {
        "programs": 8,
        "programs_refused": 24,
        "users_penalised": 0,
        "users_on_probation": 0,
    }


def test_all_slots_are_all_there_are(world: World) -> None:
    proven = users("proven", 9)
    for user in proven:
        world.run(user)
    assert sum(world.admits(user) for user in proven) == 8
    with pytest.raises(NoSlotError, match="8 programs in all are running, and no more than 8 may"):
        world.admission.admit(proven[8])


def test_users_on_probation_have_a_quarter_of_the_slots(world: World) -> None:
    slow = users("slow", 5)
    for user in slow:
        world.run(user, seconds=11.0)
    assert sum(world.admits(user) for user in slow) == 2
    assert sum(world.admits(user) for user in users("unknown", 8)) == 4
    assert world.admission.counters()["users_on_probation"] == 5


def test_a_single_slot_is_for_everybody() -> None:
    world = World(ProgramAdmissionSettings(slots=1))
    world.run(FRED, seconds=100.0)
    assert world.admits(FRED)
    assert not world.admits(MARY)


def test_users_whose_programs_hang_cost_unknown_ones_one_time_limit(world: World) -> None:
    hung = users("hung", 30)
    taken = [user for user in hung if world.admits(user)]
    assert not world.admits(FRED)
    world.now += 300.0
    for user in taken:
        world.admission.ended(user, seconds=300.0, failed=True)
    world.now += 31.0
    again = [user for user in taken if world.admits(user)]
    assert len(again) == 2
    assert world.admits(FRED)


def test_nothing_of_a_user_runs_after_a_failure_until_the_penalty_is_over(world: World) -> None:
    world.run(FRED, failed=True)
    with pytest.raises(NoSlotError, match="have failed, and none is run for another 30 seconds"):
        world.admission.admit(FRED)
    world.now += 29.9
    assert not world.admits(FRED)
    assert world.admits(MARY)
    world.now += 0.2
    assert world.admits(FRED)


def test_penalties_double_up_to_the_longest(world: World) -> None:
    waited = []
    for _ in range(5):
        world.run(FRED, failed=True)
        failed_at = world.now
        while not world.admits(FRED):
            world.now += 1.0
        waited.append(world.now - failed_at)
        world.admission.ended(FRED, seconds=0.0, failed=True)
        world.now += 200.0
    assert waited == [30.0, 120.0, 200.0, 200.0, 200.0]


def test_forgiving_goes_step_by_step(world: World) -> None:
    for seconds in (30.0, 60.0, 120.0):
        world.run(FRED, failed=True)
        world.now += seconds
    for left in (1, 1, 0):
        world.run(FRED)
        assert world.admission.counters()["users_on_probation"] == left
    world.run(FRED, failed=True)
    world.now += 30.0
    assert world.admits(FRED)


def test_a_slow_success_neither_forgives_nor_penalises(world: World) -> None:
    world.run(FRED, failed=True)
    world.now += 30.0
    world.run(FRED, seconds=11.0)
    world.run(FRED, failed=True)
    world.now += 59.0
    assert not world.admits(FRED)
    world.now += 1.0
    assert world.admits(FRED)


def test_old_trouble_is_forgotten(world: World) -> None:
    world.run(FRED, failed=True)
    world.now += 30.0 + 200.0
    assert world.admission.counters()["users_on_probation"] == 1
    world.now += 0.1
    assert world.admission.counters()["users_on_probation"] == 0
    world.run(FRED, failed=True)
    world.now += 30.0
    assert world.admits(FRED)


def test_no_more_users_are_remembered_than_the_limit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_admission, "KNOWN_USERS_MAX", 3)
    for user in users("troubled", 4):
        world.run(user, failed=True)
    for user in users("proven", 4):
        world.run(user)
    assert world.admission.counters()["users_penalised"] == 3
    assert world.admits(UserName("troubled0"))
    taken = [user for user in users("unknown", 8) if world.admits(user)]
    assert len(taken) == 5
    assert not world.admits(UserName("proven0"))  # forgotten, so unknown again
    assert world.admits(UserName("proven1"))


@given(st.integers(1, 40), st.integers(0, 60))
def test_a_proven_user_runs_beside_any_number_of_hung_ones(slots: int, hung: int) -> None:
    world = World(ProgramAdmissionSettings(slots=slots))
    world.run(FRED)
    for user in users("hung", hung):
        world.admits(user)
    assert world.admits(FRED) or slots < 4


class Histories(RuleBasedStateMachine):
    """Any history of programs keeps the limits, and gives every slot back."""

    NAMES = users("user", 6)

    def __init__(self) -> None:
        super().__init__()
        self.world = World(ProgramAdmissionSettings(slots=4, per_user=2, slow_seconds=10, penalty_first_seconds=5))
        self.running: Counter[UserName] = Counter()
        self.box: dict[UserName, float] = {}

    @rule(user=st.sampled_from(NAMES), at_most=st.sampled_from([None, 0, 1, 3]))
    def ask(self, user: UserName, at_most: int | None) -> None:
        running = self.running[user]
        if self.world.admits(user, at_most):
            self.running[user] += 1
            assert running < (2 if at_most is None else at_most)
            assert self.world.now >= self.box.get(user, 0.0)

    @precondition(lambda self: self.running.total())
    @rule(data=st.data(), seconds=st.floats(0, 20), failed=st.booleans())
    def end(self, data: st.DataObject, seconds: float, failed: bool) -> None:
        user = data.draw(st.sampled_from(sorted(+self.running)))
        self.running[user] -= 1
        self.world.admission.ended(user, seconds=seconds, failed=failed)
        self.box[user] = self.world.now + 5 if failed else 0.0

    @rule(seconds=st.floats(0, 10_000))
    def wait(self, seconds: float) -> None:
        self.world.now += seconds

    @invariant()
    def no_slot_is_lost_or_made(self) -> None:
        assert self.world.admission.counters()["programs"] == self.running.total() <= 4

    def teardown(self) -> None:
        for user, count in self.running.items():
            for _ in range(count):
                self.world.admission.ended(user, seconds=0.0, failed=False)
        self.world.now += 1e6
        # Whatever was, everybody is served again: three unknown users, or four of whom all are proven.
        assert sum(self.world.admits(user) for user in self.NAMES) >= 3


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
