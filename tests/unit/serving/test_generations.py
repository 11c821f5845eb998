from __future__ import annotations

import pytest

from serving.channel import Channel, socket_pair
from serving.children import Child, ChildState, Role
from serving.generations import BACKOFF_MAX_SECONDS, Seat, SupervisorPlan, generation_of

ROLE = Role("worker", 2, lambda _: 0)


def child(serial: int = 1, state: ChildState = ChildState.READY) -> Child:
    end, other = socket_pair()
    other.close()
    made = Child(ROLE, serial, 1000 + serial, Channel(end), 0.0, state)
    made.control.close()
    return made


def test_a_generation_has_a_seat_for_each_child_of_each_role() -> None:
    generation = generation_of(SupervisorPlan((), (ROLE, Role("oracle", 1, lambda _: 0))), ())
    assert [seat.role.name for seat in generation.seats] == ["worker", "worker", "oracle"]


def test_a_generation_is_ready_when_every_seat_has_a_ready_child() -> None:
    generation = generation_of(SupervisorPlan((), (ROLE,)), ())
    first, second = generation.seats
    first.take(child(1))
    assert not generation.ready
    second.take(child(2, ChildState.STARTING))
    assert not generation.ready
    assert second.child is not None
    second.child.state = ChildState.READY
    assert generation.ready


def test_a_successor_knows_its_predecessor_and_both_are_of_the_generation() -> None:
    generation = generation_of(SupervisorPlan((), (ROLE,)), ())
    seat = generation.seats[0]
    before, after = child(1), child(2)
    seat.take(before)
    seat.take(after)
    assert after.predecessor is before
    assert generation.seat_of(after) is seat
    assert generation.seat_of(before) is None
    assert generation.children() == (after, before)


def test_an_heir_keeps_the_seat_until_the_next_successor_is_tried() -> None:
    seat, heir = Seat(ROLE), child()
    seat.lose(heir, lived_seconds=0.0, now=100.0)
    assert seat.child is heir
    assert seat.start_at == 100.0


def test_delays_grow_with_early_deaths_up_to_a_limit() -> None:
    seat = Seat(ROLE)
    delays = []
    for _ in range(12):
        seat.lose(None, lived_seconds=1.0, now=0.0)
        delays.append(seat.start_at)
    assert delays[:4] == [0.0, 0.25, 0.75, 1.75]
    assert delays[-1] == BACKOFF_MAX_SECONDS
    assert seat.restarts == 12


@pytest.mark.parametrize("deaths", [0, 5])
def test_a_child_that_lived_long_is_replaced_at_once(deaths: int) -> None:
    seat = Seat(ROLE)
    for _ in range(deaths):
        seat.lose(None, lived_seconds=0.0, now=0.0)
    seat.lose(None, lived_seconds=3600.0, now=50.0)
    assert seat.start_at == 50.0
    assert seat.early_deaths == 0
