"""Tests of ``mta.server.remote_deliveries``: the spawner and the delivery processes are played by the tests."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from delivery.environment import Recipient
from delivery.messages import Message
from delivery.program_shares import ProgramShare
from delivery.resolver import Account
from mta.server.delivery_dialogue import DONE, OUT_OF_LANE, request
from mta.server.remote_deliveries import Asking, RemoteDeliveries
from mta.server.turns import RETRY_SECONDS, UserTurns
from serving.blocking import Bulkheads
from serving.channel import Channel, Frame, socket_pair
from serving.error_frames import error_frame
from serving.errors import OperationTimedOutError
from serving.reactor_channel import ReactorChannel
from serving.settings import LimitsSettings
from serving.spawner_client import SpawnerClient
from spool.errors import MailboxUnavailableError, QuotaExceededError
from spool.names import UserName

BODY = b"Subject: x\n\nbody\n"
OPERATION_SECONDS = 20.0


class HandReactor(Clock):
    """A clock, and channels that are read when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[ReactorChannel] = []

    def addReader(self, reader: ReactorChannel) -> None:  # noqa: N802
        self.readers.append(reader)

    def removeReader(self, reader: ReactorChannel) -> None:  # noqa: N802
        self.readers.remove(reader)

    def addWriter(self, writer: ReactorChannel) -> None:  # noqa: N802
        raise NotImplementedError("everything sent here fits at once")

    def removeWriter(self, writer: ReactorChannel) -> None:  # noqa: N802
        pass

    def read(self) -> None:
        for reader in tuple(self.readers):
            reader.doRead()


class World:
    """Remote deliveries of one worker; the test is the spawner, and the processes."""

    def __init__(self) -> None:
        self.reactor = HandReactor()
        client = SpawnerClient(self.reactor)
        ours, theirs = socket_pair()
        self.client = client
        client.connect(ours)
        self.spawner = Channel(theirs)
        self.bulkheads = Bulkheads(
            self.reactor, LimitsSettings(operation_seconds=OPERATION_SECONDS), Asking(), lambda _: None
        )
        turns = UserTurns(self.bulkheads, lambda _: "/", self.reactor)
        self.deliveries = RemoteDeliveries(self.reactor, client, turns)
        self.message = Message.of([BODY])
        self.processes: list[Channel] = []

    def begin(self, user: str = "joe") -> Deferred[None]:
        return self.deliveries.deliver(account(user), "s@x", self.message)

    def deliver(self, user: str = "joe") -> list[object]:
        return outcome(self.begin(user))

    def asked(self) -> tuple[int, str]:
        """What the spawner is asked: number and address."""
        frame = self.spawner.receive()
        assert frame is not None
        return frame.number("number"), frame.text("address")

    def serve(self, user: str = "joe") -> Channel:
        """Give the worker a process; the process's end."""
        number, address = self.asked()
        assert address == f"{user}@a.org"
        near, far = map(Channel, socket_pair())
        self.spawner.send(Frame({"number": number}, descriptor=near.fileno()))
        near.close()
        self.processes.append(far)
        self.reactor.read()
        return far

    def refuse(self, *, full: bool) -> None:
        number, _ = self.asked()
        self.spawner.send(Frame({"number": number, "refused": "no", "full": full}))
        self.reactor.read()

    def killed(self) -> bool:
        """Whether the spawner was told to kill."""
        return self.spawner.receive() == Frame({"number": 1, "kill": True})

    def close(self) -> None:
        self.client.close()
        self.spawner.close()
        for process in self.processes:
            process.close()
        self.message.close()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def account(user: str = "joe") -> Account:
    recipient = Recipient(user, "a.org", UserName(user), 1000, 1000, Path("/h") / user, "", "")
    return Account(recipient, None, None, ProgramShare(1, 1.0))


def outcome(deferred: Deferred[None]) -> list[object]:
    """What a Deferred came to: nothing yet, None, or the error's class."""
    found: list[object] = []
    deferred.addBoth(lambda each: found.append(type(each.value) if isinstance(each, Failure) else each))
    return found


def say(world: World, process: Channel, frame: Frame) -> None:
    process.send(frame)
    world.reactor.read()


def test_a_message_goes_to_a_process_as_a_descriptor_that_cannot_write_it(world: World) -> None:
    over = world.deliver()
    process = world.serve()
    asked = process.receive()
    assert asked is not None
    assert asked.descriptor is not None
    assert (asked.text("do"), asked.text("sender")) == ("deliver", "s@x")
    with contextlib.closing(Message.in_file(asked.descriptor)) as arrived:
        assert b"".join(arrived.pieces()) == BODY
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(arrived.descriptor, b"forged")
    assert over == []
    say(world, process, DONE)
    assert over == [None]
    assert process.receive() is None


def test_a_recipient_is_checked(world: World) -> None:
    over = outcome(world.deliveries.check(account(), None))
    process = world.serve()
    assert process.receive() == request("check", None)
    say(world, process, error_frame(QuotaExceededError("full")))
    assert over == [QuotaExceededError]


@pytest.mark.parametrize("end", [Channel.close, lambda process: process.send(Frame({"x": 1}))])
def test_a_process_that_ends_or_talks_nonsense_is_temporary(world: World, end: Callable[[Channel], None]) -> None:
    over = world.deliver()
    process = world.serve()
    end(process)
    world.reactor.read()
    assert over == [MailboxUnavailableError]


def test_a_refusal_of_the_spawner_is_temporary(world: World) -> None:
    over = world.deliver()
    world.refuse(full=False)
    assert over == [MailboxUnavailableError]


def test_too_many_processes_are_waited_for(world: World) -> None:
    over = world.deliver()
    world.refuse(full=True)
    assert over == []
    world.reactor.advance(RETRY_SECONDS)
    say(world, world.serve(), DONE)
    assert over == [None]


def test_a_user_has_one_delivery_at_a_time_and_others_need_not_wait(world: World) -> None:
    first, second, other = world.deliver(), world.deliver(), world.deliver("ann")
    process, others = world.serve(), world.serve("ann")
    say(world, others, DONE)
    assert (first, second, other) == ([], [], [None])
    say(world, process, DONE)
    say(world, world.serve(), DONE)
    assert (first, second) == ([None], [None])


def test_programs_leave_the_lane_to_the_users_other_mail(world: World) -> None:
    first, second = world.deliver(), world.deliver()
    slow = world.serve()
    say(world, slow, OUT_OF_LANE)
    say(world, world.serve(), DONE)
    assert (first, second) == ([], [None])
    world.reactor.advance(OPERATION_SECONDS)
    assert world.bulkheads.totals.stuck == 0
    say(world, slow, DONE)
    assert first == [None]


def test_a_delivery_that_takes_too_long_is_killed_and_its_user_waits_until_it_is_dead(world: World) -> None:
    over = world.deliver()
    process = world.serve()
    world.reactor.advance(OPERATION_SECONDS)
    assert over == [OperationTimedOutError]
    assert world.killed()
    assert world.bulkheads.totals.stuck == 1
    process.close()
    world.reactor.read()
    assert world.bulkheads.totals.running == 0


def test_programs_that_nobody_waits_for_any_more_are_killed(world: World) -> None:
    delivering = world.begin()
    over = outcome(delivering)
    process = world.serve()
    say(world, process, OUT_OF_LANE)
    delivering.cancel()
    assert over == [defer.CancelledError]
    assert world.killed()
    process.close()
    world.reactor.read()


@pytest.mark.parametrize("answer", [DONE, error_frame(QuotaExceededError("full"))])
def test_an_answer_that_comes_too_late_changes_nothing(world: World, answer: Frame) -> None:
    over = world.deliver()
    process = world.serve()
    world.reactor.advance(OPERATION_SECONDS)
    say(world, process, answer)
    assert over == [OperationTimedOutError]
    assert world.bulkheads.totals.running == 0


def test_a_question_that_the_spawner_has_not_answered_yet_is_taken_back(world: World) -> None:
    checking = world.deliveries.check(account(), None)
    over = outcome(checking)
    checking.cancel()
    assert len(over) == 1
    process = world.serve()
    assert process.receive() is None


def test_a_delivery_that_is_given_up_before_its_turn_asks_nobody(world: World) -> None:
    first = world.deliver()
    waiting = world.deliveries.check(account(), None)
    over = outcome(waiting)
    process = world.serve()
    waiting.cancel()
    say(world, process, DONE)
    assert (first, len(over)) == ([None], 1)
    world.client.close()
    assert world.spawner.receive() is None


def test_a_message_that_cannot_be_passed_is_temporary(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    over = world.deliver()

    def no_descriptor(_: Message) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(Message, "read_only", no_descriptor)
    process = world.serve()
    assert over == [MailboxUnavailableError]
    assert process.receive() is None
