"""Tests of ``serving.program_slots``, with both ends of control channels."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from serving.channel import Channel, ChannelError, Frame, socket_pair
from serving.mail_processes import MailProcess
from serving.orders import Order
from serving.program_admission import NoSlotError, ProgramAdmission, ProgramAdmissionSettings
from serving.program_slots import ProgramSlots, ask_for_slot, give_back
from spool.names import UserName


class World:
    """Slots for one program in all, and delivery processes whose control channels are held at both ends."""

    def __init__(self) -> None:
        self.now = 0.0
        self.admission = ProgramAdmission(ProgramAdmissionSettings(slots=1, penalty_first_seconds=30), lambda: self.now)
        self.slots = ProgramSlots(self.admission, lambda: self.now)
        self.open: list[Channel] = []

    def process(self, user: str, programs: int = 1) -> tuple[MailProcess, Channel]:
        ours, theirs = map(Channel, socket_pair())
        self.open += [ours, theirs]
        return MailProcess(Order(UserName(user), 1, 1, {}, programs), 0, ours), theirs

    def take(self, process: MailProcess, control: Channel) -> None:
        """Have a process ask, as it would, and be answered."""
        with ThreadPoolExecutor(1) as together:
            asking = together.submit(ask_for_slot, control)
            asked = process.control.receive()
            assert asked is not None
            self.slots.asked(process, asked)
            asking.result()

    def hear(self, process: MailProcess) -> None:
        """Hear what a process has said."""
        said = process.control.receive()
        assert said is not None
        self.slots.asked(process, said)

    @property
    def taken(self) -> int:
        return self.admission.counters()["programs"]


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    for channel in made.open:
        channel.close()


def test_a_slot_is_taken_and_given_back(world: World) -> None:
    process, control = world.process("ann")
    world.take(process, control)
    assert world.taken == 1
    give_back(control, failed=False)
    world.hear(process)
    assert world.taken == 0


def test_without_a_slot_the_process_hears_why(world: World) -> None:
    world.take(*world.process("ann"))
    with pytest.raises(NoSlotError, match="ben: 1 programs"):
        world.take(*world.process("ben"))


def test_a_user_without_programs_gets_none(world: World) -> None:
    with pytest.raises(NoSlotError):
        world.take(*world.process("ann", programs=0))


@pytest.mark.parametrize(("failed", "penalised"), [(True, 1), (False, 0)])
def test_a_failure_is_the_users(world: World, failed: bool, penalised: int) -> None:
    process, control = world.process("ann")
    world.take(process, control)
    give_back(control, failed=failed)
    world.hear(process)
    assert world.admission.counters()["users_penalised"] == penalised


def test_a_process_that_ends_gives_its_slot_back_and_has_failed(world: World) -> None:
    process, control = world.process("ann")
    world.take(process, control)
    world.slots.freed(process)
    assert (world.taken, world.admission.counters()["users_penalised"]) == (0, 1)
    world.slots.freed(process)


@pytest.mark.parametrize("said", [{"kind": "give_back", "failed": False}, {"kind": "?"}, {}])
def test_nonsense_is_none_of_ours(world: World, said: dict[str, object]) -> None:
    process, _ = world.process("ann")
    with pytest.raises(ChannelError):
        world.slots.asked(process, Frame(said))


def test_two_slots_for_one_process_are_nonsense(world: World) -> None:
    process, control = world.process("ann")
    world.take(process, control)
    with pytest.raises(ChannelError):
        world.slots.asked(process, Frame({"kind": "take"}))


def test_a_process_without_a_spawner_gets_no_slot(world: World) -> None:
    process, control = world.process("ann")
    process.control.close()
    with pytest.raises(ChannelError):
        ask_for_slot(control)


def test_a_spawner_that_ends_before_its_answer_gives_no_slot(world: World) -> None:
    process, control = world.process("ann")
    with ThreadPoolExecutor(1) as together:
        asking = together.submit(ask_for_slot, control)
        assert process.control.receive() == Frame({"kind": "take"})
        process.control.close()
        with pytest.raises(ChannelError):
            asking.result()
