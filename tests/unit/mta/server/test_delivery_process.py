"""A delivery process in a thread, with both of its sockets held, and the agent of a site of one user."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from delivery.agent import DeliveryAgent
from delivery.messages import Message
from delivery.resolver import AddressResolver
from delivery.settings import DeliverySettings
from mta.server.delivery_dialogue import DONE, OUT_OF_LANE, order_of, outcome_of, request
from mta.server.delivery_process import MayBegin, ProgramSlot, run_delivery_process
from serving.channel import Channel, ChannelError, Frame, socket_pair
from serving.orders import IDLE
from spool.assign import Assignment, AssignRecord, publish_assign
from spool.errors import QuotaExceededError
from spool.site import Site
from tests.unit.delivery.homes import TestHome

BODY = b"Subject: x\n\nbody\n"


class World:
    """The spawner's and the worker's side of a delivery process of joe's."""

    def __init__(self, directory: Path) -> None:
        self.home = TestHome(directory / "spool")
        self.site = Site(directory / "site")
        self.site.control.mkdir(parents=True)
        self.site.locals.write_text("a.org\n")
        record = AssignRecord("joe", os.geteuid(), os.getegid(), self.home.path)
        publish_assign([Assignment("joe", record)], self.site.assign_compiled)
        ours, theirs = socket_pair()
        self.control = Channel(ours)
        self.status: list[int] = []
        self._thread = threading.Thread(target=lambda: self.status.append(self._live(Channel(theirs))))
        self._thread.start()

    def _live(self, control: Channel) -> int:
        with control:
            return run_delivery_process(self.agent, control)

    def agent(self, slot: ProgramSlot, may_begin: MayBegin) -> DeliveryAgent:
        return DeliveryAgent(
            self.site,
            self.home.settings,
            DeliverySettings(added_fields=(), sendmail=("/bin/true",)),
            has_own_uid=lambda _: True,
            program_slot=slot,
            may_begin=may_begin,
        )

    def order(self) -> Channel:
        """Order a service; the worker's end."""
        resolver = AddressResolver(self.site, self.home.settings, DeliverySettings())
        near, far = socket_pair()
        with far:
            order = order_of(resolver.resolve("joe@a.org"))
            self.control.send(Frame(order.message, descriptor=far.fileno()))
        return Channel(near)

    def deliver(self, worker: Channel) -> None:
        message = Message.of([BODY])
        try:
            worker.send(request("deliver", "s@x", message.descriptor))
        finally:
            message.close()

    def answer_to_program(self, frame: Frame) -> None:
        """Take the question for a slot, and answer it."""
        assert self.control.receive() == Frame({"kind": "take"})
        self.control.send(frame)

    def close(self) -> None:
        self.control.close()
        self._thread.join()
        self.home.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def test_a_message_is_delivered_and_the_process_is_idle(world: World) -> None:
    for count in (1, 2):
        with world.order() as worker:
            world.deliver(worker)
            assert worker.receive() == DONE
        assert world.control.receive() == IDLE
        assert len(world.home.mail()) == count
    assert world.home.mail()[0] == BODY


def test_a_check_delivers_nothing(world: World) -> None:
    with world.order() as worker:
        worker.send(request("check", None))
        assert worker.receive() == DONE
    assert world.home.mail() == []


def test_a_failure_is_told(world: World) -> None:
    world.site.quotas.write_text("joe:10\n")
    (world.home.path / "Maildir" / "new" / "1.x.host,S=20").write_bytes(b"x" * 20)
    with world.order() as worker:
        worker.send(request("check", None))
        answer = worker.receive()
    assert answer is not None
    assert isinstance(outcome_of(answer), QuotaExceededError)


@pytest.mark.parametrize(("status", "failed"), [(0, False), (111, True), (100, False)])
def test_programs_run_within_a_slot(world: World, status: int, failed: bool) -> None:
    world.home.write(".qmail", f"|exit {status}\n")
    with world.order() as worker:
        world.deliver(worker)
        world.answer_to_program(Frame({"refused": None}))
        assert worker.receive() == OUT_OF_LANE
        answer = worker.receive()
        assert answer is not None
        assert (outcome_of(answer) is None) is (status == 0)
    assert world.control.receive() == Frame({"kind": "give_back", "failed": failed})
    assert world.control.receive() == IDLE


def test_what_forwards_leaves_the_lane_of_its_disk(world: World) -> None:
    world.home.write(".qmail", "./Maildir/\na@b.org\n")
    with world.order() as worker:
        worker.send(request("check", "s@x"))
        assert worker.receive() == DONE
    assert world.control.receive() == IDLE
    with world.order() as worker:
        world.deliver(worker)
        assert worker.receive() == OUT_OF_LANE
        assert worker.receive() == DONE
    assert world.control.receive() == IDLE
    assert world.home.mail() == [BODY]


def test_without_a_slot_nothing_is_done(world: World) -> None:
    world.home.write(".qmail", "./Maildir/\n|exit 0\n")
    with world.order() as worker:
        world.deliver(worker)
        world.answer_to_program(Frame({"refused": "joe: no"}))
        answer = worker.receive()
    assert answer is not None
    assert str(outcome_of(answer)) == "no program may start now: joe: no"
    assert world.home.mail() == []


def ask_nothing(worker: Channel) -> None:
    """Go away."""


def ask_nonsense(worker: Channel) -> None:
    worker.send(Frame({"do": "?"}))


def ask_without_message(worker: Channel) -> None:
    worker.send(request("deliver", None))


def deliver_directory(worker: Channel) -> None:
    directory = os.open("/", os.O_RDONLY)
    worker.send(request("deliver", None, directory))
    os.close(directory)


def talk_nonsense(worker: Channel) -> None:
    with socket.socket(fileno=os.dup(worker.fileno())) as end:
        end.send(b"\xff" * 20)


@pytest.mark.parametrize("ask", [ask_nothing, ask_nonsense, ask_without_message, deliver_directory, talk_nonsense])
def test_a_worker_that_asks_nothing_sensible_gets_no_answer(world: World, ask: Callable[[Channel], None]) -> None:
    with world.order() as worker:
        ask(worker)
        with socket.socket(fileno=os.dup(worker.fileno())) as end:
            end.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ChannelError):  # it had not read all
            assert worker.receive() is None
    assert world.control.receive() == IDLE
    assert world.home.mail() == []


def test_a_process_whose_spawner_is_gone_ends(tmp_path: Path) -> None:
    world = World(tmp_path)
    with world.order() as worker:
        world.control.close()
        world.deliver(worker)
        assert worker.receive() == DONE
    world.close()
    assert world.status == [0]
