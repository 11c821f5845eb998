"""A program process in a thread, with the spawner's and the delivery's side held; programs run as ourselves."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import pytest

from delivery.errors import ProgramDeferredError
from delivery.program_keeper import ProgramLimits
from delivery.programs import Ended
from mta.server import program_process
from mta.server.program_client import programs_over
from mta.server.program_dialogue import TAKEN, parse_answer, program_request
from mta.server.program_process import run_program_process
from serving.channel import Channel, ChannelError, Frame, socket_pair
from serving.orders import IDLE

LIMITS = ProgramLimits(seconds=1.0, memory_octets=1 << 30, processes=10_000, files=64)
TAKE, GIVEN = Frame({"kind": "take"}), Frame({"refused": None})
VARIABLES = {b"PATH": b"/usr/bin:/bin"}


class World:
    """The spawner's side of a program process."""

    def __init__(self) -> None:
        ours, theirs = socket_pair()
        self.control = Channel(ours)
        self.status: list[int] = []
        self.thread = threading.Thread(target=lambda: self.status.append(self._live(Channel(theirs))))
        self.thread.start()

    def _live(self, control: Channel) -> int:
        with control:
            return run_program_process(LIMITS, control)

    def order(self, seconds: float = 60.0) -> socket.socket:
        """Order a service; the delivery's end."""
        near, far = socket_pair()
        with far:
            self.control.send(Frame({"seconds": seconds}, descriptor=far.fileno()))
        return near

    def give_slot(self) -> None:
        assert self.control.receive() == TAKE
        self.control.send(GIVEN)

    def given_back(self) -> bool:
        """Whether it was a failure."""
        back = self.control.receive()
        assert back is not None
        assert back.message["kind"] == "give_back"
        assert self.control.receive() == IDLE
        return back.message["failed"] is True

    def close(self) -> None:
        self.control.close()
        self.thread.join()
        assert self.status == [0]


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def test_programs_of_a_delivery_run_one_after_another(world: World) -> None:
    end = world.order()
    world.give_slot()
    with programs_over(end, 60.0, VARIABLES) as run:
        assert run('cat; pwd; echo "$EXT"', {b"EXT": b"list"}, [b"message\n"]) == Ended(0, b"message\n/\nlist\n")
        assert run("exit 99", {}, []) == Ended(99, b"")
    assert world.given_back() is False


def test_a_process_serves_one_delivery_after_another(world: World) -> None:
    for command, failed in (("exit 111", True), ("exit 100", False)):
        end = world.order()
        world.give_slot()
        with programs_over(end, 60.0, VARIABLES) as run:
            run(command, {}, [])
        assert world.given_back() is failed


def test_the_order_says_how_long_a_program_may_take(world: World) -> None:
    end = world.order(seconds=0.2)
    world.give_slot()
    with programs_over(end, 60.0, VARIABLES) as run:
        assert run("exec sleep 600", {}, []).status is None
    assert world.given_back() is True


def test_without_a_slot_nothing_is_run(world: World) -> None:
    end = world.order()
    assert world.control.receive() == TAKE
    world.control.send(Frame({"refused": "all are taken"}))
    with (
        pytest.raises(ProgramDeferredError, match="no program may start now: all are taken"),
        programs_over(end, 60.0, VARIABLES),
    ):
        raise AssertionError("never taken")
    assert world.control.receive() == IDLE


def test_a_program_that_cannot_be_started_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_process, "SHELL", b"/no/such/shell")
    end = world.order()
    world.give_slot()
    with programs_over(end, 60.0, VARIABLES) as run, pytest.raises(ProgramDeferredError, match="No such file"):
        run("true", {}, [])
    assert world.given_back() is True


@pytest.mark.parametrize("silent", [True, False])
def test_a_delivery_that_falls_silent_or_talks_nonsense_loses_its_slot(
    world: World, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    if silent:
        monkeypatch.setattr(program_process, "SILENCE_SECONDS", 0.1)
    with Channel(world.order(seconds=0.1 if silent else 60.0)) as delivery:
        world.give_slot()
        assert delivery.receive() == TAKEN
        if not silent:
            delivery.send(Frame(body=b"true"))
        assert world.given_back() is True
        assert delivery.receive() is None


def test_it_ends_with_the_spawner() -> None:
    made = World()
    end = made.order()
    assert made.control.receive() == TAKE
    made.close()
    with pytest.raises(ProgramDeferredError), programs_over(end, 60.0, VARIABLES):
        raise AssertionError("never taken")


@pytest.mark.parametrize("answer", [Frame({"what": 1}), None])
def test_a_process_that_ends_or_talks_nonsense_is_temporary(answer: Frame | None) -> None:
    ours, theirs = socket_pair()
    process = Channel(theirs)
    process.send(TAKEN)
    with programs_over(ours, 60.0, VARIABLES) as run:
        if answer is not None:
            process.send(answer)
        else:
            process.close()
        with pytest.raises(ProgramDeferredError):
            run("true", {}, [])
    process.close()


def test_a_process_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mta.server.program_client.LATE_SECONDS", 0.0)
    ours, theirs = socket_pair()
    with theirs, pytest.raises(ProgramDeferredError, match="cannot be read"), programs_over(ours, 0.05, VARIABLES):
        raise AssertionError("never taken")


def test_a_command_with_a_nul_is_none() -> None:
    ours, theirs = socket_pair()
    with Channel(theirs) as process:
        process.send(TAKEN)
        with programs_over(ours, 60.0, VARIABLES) as run, pytest.raises(ProgramDeferredError, match="NUL"):
            run("true\0", {}, [])
    with pytest.raises(ChannelError):
        parse_answer(Frame())
    with pytest.raises(ValueError, match="NUL"):
        program_request(b"true", {b"A": b"\0"}, os.O_RDONLY)


def test_a_process_that_has_ended_is_temporary() -> None:
    ours, theirs = socket_pair()
    theirs.close()
    with pytest.raises(ProgramDeferredError, match="has ended"), programs_over(ours, 60.0, VARIABLES):
        raise AssertionError("never taken")
