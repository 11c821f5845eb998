"""Deliveries beside the bulkheads, with programs that are run by whoever holds the other end of a socket."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.python.failure import Failure

from delivery.agent import DeliveryAgent
from delivery.errors import ProgramDeferredError
from delivery.messages import Message
from delivery.resolver import Account, AddressResolver
from delivery.settings import DeliverySettings
from mta.server import program_deliveries
from mta.server.program_deliveries import (
    ProgramDeliveries,
    ProgramsElsewhereError,
    forwards_elsewhere,
    programs_elsewhere,
)
from mta.server.program_dialogue import TAKEN
from serving.channel import Channel, Frame, socket_pair
from serving.spawner_client import MailSocket
from serving.threads import Raised, Threads
from spool.assign import Assignment, AssignRecord, publish_assign
from spool.errors import MailboxUnavailableError, SpoolError
from spool.site import Site
from tests.unit.delivery.homes import TestHome
from tests.unit.serving.held_threads import HeldThreads

MESSAGE = b"Subject: x\n\nbody\n"


class Bulkheads:
    """Delivers at once, in this thread."""

    def __init__(self, agent: DeliveryAgent) -> None:
        self._agent = agent

    def check(self, account: Account, sender: str | None) -> Deferred[None]:
        self._agent.check(account, sender)
        return succeed(None)

    def deliver(self, account: Account, sender: str | None, message: Message) -> Deferred[None]:
        try:
            self._agent.deliver(account, sender, message)
        except SpoolError as error:
            return fail(error)
        return succeed(None)


class Spawner:
    """Gives sockets whose other ends have said already what a program process will say."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.says: list[Frame] = [TAKEN, Frame({"status": 0})]
        self.ends: list[socket.socket] = []

    def programs(self, address: str) -> Deferred[MailSocket]:
        self.asked.append(address)
        if not self.says:
            return fail(MailboxUnavailableError("no spawner"))
        near, far = socket_pair()
        self.ends.append(far)
        channel = Channel(far)
        for frame in self.says:
            channel.send(frame)
        self.channel = channel
        return succeed(MailSocket(near, lambda: None))


class OneThread:
    """Runs what should run in a thread, at once."""

    def run(self, function: Callable[[], Any], done: Callable[[Any], None]) -> None:
        try:
            outcome = function()
        except BaseException as error:
            outcome = Raised(error)
        done(outcome)


class World:
    def __init__(self, directory: Path) -> None:
        self.home = TestHome(directory / "spool")
        site = Site(directory / "site")
        site.control.mkdir(parents=True)
        site.locals.write_text("a.org\n")
        record = AssignRecord("joe", os.geteuid(), os.getegid(), self.home.path)
        publish_assign([Assignment("joe", record)], site.assign_compiled)
        handed_over = directory / "handed over"
        self.handed_over = handed_over
        sendmail = directory / "sendmail"
        sendmail.write_text(f'#!/bin/sh\ncat >> "{handed_over}"\n')
        sendmail.chmod(0o700)
        agent = partial(
            DeliveryAgent,
            site,
            self.home.settings,
            DeliverySettings(added_fields=(), sendmail=(str(sendmail),)),
            has_own_uid=lambda _: False,
            programs_elsewhere=programs_elsewhere,
        )
        self.agent = agent()
        self.in_bulkheads = Bulkheads(agent(may_begin=forwards_elsewhere))
        self.account = AddressResolver(site, self.home.settings, DeliverySettings()).resolve("joe@a.org")
        self.spawner = Spawner()
        self.begin(OneThread())

    def begin(self, threads: Threads) -> None:
        """Deliver in these threads from now on."""
        self.deliveries = ProgramDeliveries(
            self.in_bulkheads,
            self.agent,
            self.spawner,  # type: ignore[arg-type]
            threads,
            {},
        )

    def deliver(self) -> BaseException | None:
        """Deliver; why not."""
        outcomes: list[Failure | None] = []
        message = Message.of([MESSAGE])
        self.deliveries.deliver(self.account, "s@x", message).addBoth(outcomes.append)
        message.close()
        (outcome,) = outcomes
        return None if outcome is None else outcome.value

    def close(self) -> None:
        self.home.close()
        for end in self.spawner.ends:
            end.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def test_a_delivery_without_programs_asks_nobody(world: World) -> None:
    assert world.deliver() is None
    assert (world.home.mail(), world.spawner.asked) == ([MESSAGE], [])


def test_a_delivery_with_programs_begins_again_where_they_are_run(world: World) -> None:
    world.home.write(".qmail", "./Maildir/\n|true\n")
    outcomes: list[None] = []
    world.deliveries.check(world.account, "s@x").addCallback(outcomes.append)
    assert outcomes == [None]
    assert world.deliver() is None
    assert (world.home.mail(), world.spawner.asked) == ([MESSAGE], ["joe@a.org"])
    asked = world.spawner.channel.receive()
    assert asked is not None
    assert asked.body.startswith(b"true\0")
    asked.discard()


@pytest.mark.parametrize(
    ("says", "error"), [([], MailboxUnavailableError), ([Frame({"refused": "none"})], ProgramDeferredError)]
)
def test_without_a_slot_nothing_is_delivered(world: World, says: list[Frame], error: type[Exception]) -> None:
    world.home.write(".qmail", "./Maildir/\n|true\n")
    world.spawner.says = says
    trouble = world.deliver()
    assert isinstance(trouble, error)
    assert not isinstance(trouble, ProgramsElsewhereError)
    assert world.home.mail() == []


def test_a_delivery_that_is_cancelled_while_programs_run_is_over_when_its_thread_is_back(world: World) -> None:
    world.home.write(".qmail", "./Maildir/\n|true\n")
    threads = HeldThreads()
    world.begin(threads)
    outcomes: list[object] = []
    with contextlib.closing(Message.of([MESSAGE])) as message:
        delivering = world.deliveries.deliver(world.account, "s@x", message)
        delivering.addBoth(outcomes.append)
        delivering.cancel()
        assert outcomes == []
        threads.go()
    assert (outcomes, world.home.mail()) == ([None], [MESSAGE])


def test_what_forwards_does_so_outside_of_the_bulkheads(world: World) -> None:
    world.home.write(".qmail", "./Maildir/\n&a@b.org\n")
    threads = HeldThreads()
    world.begin(threads)
    outcomes: list[object] = []
    with contextlib.closing(Message.of([MESSAGE])) as message:
        world.deliveries.deliver(world.account, "s@x", message).addBoth(outcomes.append)
        assert (outcomes, world.home.mail(), world.handed_over.exists()) == ([], [], False)
        threads.go()
    assert (outcomes, world.home.mail()) == ([None], [MESSAGE])
    assert MESSAGE in world.handed_over.read_bytes()


def test_what_forwards_and_runs_programs_does_both_and_each_once(world: World) -> None:
    world.home.write(".qmail", "./Maildir/\n|true\n&a@b.org\n")
    assert world.deliver() is None
    assert (world.home.mail(), world.spawner.asked) == ([MESSAGE], ["joe@a.org"])
    assert world.handed_over.read_bytes().count(MESSAGE) == 1


def test_few_forward_at_once_and_one_that_is_cancelled_before_it_began_forwards_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program_deliveries, "FORWARDS_MAX", 1)
    with contextlib.closing(World(tmp_path)) as world, contextlib.closing(Message.of([MESSAGE])) as message:
        world.home.write(".qmail", "&a@b.org\n")
        threads = HeldThreads()
        world.begin(threads)
        outcomes: list[object] = []
        delivering = [world.deliveries.deliver(world.account, "s@x", message) for _ in range(3)]
        for each in delivering:
            each.addBoth(lambda outcome: outcomes.append(getattr(outcome, "type", outcome)))
        assert len(threads.held) == 1
        delivering[1].cancel()
        assert outcomes == [CancelledError]
        threads.go()
        assert len(threads.held) == 1
        threads.go()
        assert outcomes == [CancelledError, None, None]
        assert world.handed_over.read_bytes().count(MESSAGE) == 2
