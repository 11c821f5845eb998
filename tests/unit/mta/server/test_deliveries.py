"""Tests of ``mta.server.deliveries``, with the delivery agent of a site of one user."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from delivery.agent import DeliveryAgent
from delivery.errors import NotLocalError
from delivery.messages import Message
from delivery.resolver import Account, AddressResolver
from delivery.settings import DeliverySettings
from mta.server.deliveries import LocalDeliveries, SiteDeliveries
from mta.server.turns import RETRY_SECONDS, RETRY_SECONDS_MAX, UserTurns
from mta.smtp.addresses import parse_path
from serving.blocking import Bulkheads
from serving.errors import OperationTimedOutError
from serving.settings import LimitsSettings
from spool.assign import Assignment, AssignRecord, publish_assign
from spool.errors import HomeUnavailableError, NoSuchUserError, QuotaExceededError
from spool.names import UserName
from spool.site import Site
from tests.unit.delivery.homes import TestHome

BODY = b"Subject: x\n\nbody\n"


class HeldThreads:
    """Threads whose functions run when the test says so."""

    def __init__(self) -> None:
        self.held: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []

    def run(self, function: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self.held.append((function, done))

    def go(self) -> None:
        while self.held:
            function, done = self.held.pop(0)
            try:
                outcome = function()
            except Exception as error:
                from serving.threads import Raised  # noqa: PLC0415

                outcome = Raised(error)
            done(outcome)


class Elsewhere:
    """Deliveries that write down whose they are."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str | None]] = []

    def check(self, account: Account, sender: str | None) -> Deferred[None]:
        self.asked.append(("check", account.recipient.user.text, sender))
        return succeed(None)

    def deliver(self, account: Account, sender: str | None, message: Message) -> Deferred[None]:
        self.asked.append(("deliver", account.recipient.user.text, sender))
        return succeed(None)


class World:
    """A site with joe, and deliveries whose threads are held."""

    def __init__(self, directory: Path) -> None:
        self.home = TestHome(directory / "spool")
        self.site = Site(directory / "site")
        self.site.control.mkdir(parents=True)
        self.site.locals.write_text("a.org\n")
        record = AssignRecord("joe", os.geteuid(), os.getegid(), self.home.path)
        other = AssignRecord("ann", os.geteuid() + 1, os.getegid(), self.home.path)
        lines = [Assignment("joe", record), Assignment("ann", other), Assignment("postmaster", record)]
        publish_assign(lines, self.site.assign_compiled)
        self.clock = Clock()
        self.threads = HeldThreads()
        self.bulkheads = Bulkheads(
            self.clock,
            LimitsSettings(operations_per_user=2),
            self.threads,
            lambda _: None,
        )
        self.file_system: str | OSError = "/"
        resolver = AddressResolver(self.site, self.home.settings, DeliverySettings())
        agent = DeliveryAgent(self.site, self.home.settings, DeliverySettings(), has_own_uid=lambda _: False)
        self.turns = UserTurns(self.bulkheads, self._file_system_of, self.clock)
        self.elsewhere = Elsewhere()
        local = LocalDeliveries(agent, self.turns)
        self.deliveries = SiteDeliveries(resolver.resolve, os.geteuid(), local, self.elsewhere)

    def _file_system_of(self, path: Path) -> str:
        if isinstance(self.file_system, OSError):
            raise self.file_system
        return self.file_system


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.home.close()


def outcome(deferred: Deferred[None]) -> list[object]:
    """What a Deferred came to: nothing yet, None, or the error's class."""
    found: list[object] = []
    deferred.addBoth(lambda each: found.append(type(each.value) if isinstance(each, Failure) else each))
    return found


def test_a_message_is_delivered_in_a_thread(world: World) -> None:
    with contextlib.closing(Message.of([BODY])) as message:
        over = outcome(world.deliveries.deliver("joe@a.org", "s@x", message))
        assert (over, world.home.mail()) == ([], [])
        world.threads.go()
    assert over == [None]
    assert world.home.mail() == [b"Return-Path: <s@x>\nDelivered-To: joe@a.org\n" + BODY]


@pytest.mark.parametrize("path", ["<postmaster>", "<Postmaster>", "<POSTMASTER@A.ORG>"])
def test_the_postmaster_is_one_with_and_without_a_domain_in_any_case(world: World, path: str) -> None:
    address = parse_path(path, utf8=False)
    assert address is not None
    over = outcome(world.deliveries.check(address, None))
    world.threads.go()
    assert over == [None]


def test_a_good_recipient_is_good_and_nothing_is_delivered(world: World) -> None:
    over = outcome(world.deliveries.check("joe", None))
    world.threads.go()
    assert (over, world.home.mail()) == ([None], [])


@pytest.mark.parametrize(
    ("address", "error"),
    [("nobody@a.org", NoSuchUserError), ("joe@b.org", NotLocalError)],
)
def test_a_bad_recipient_is_known_without_a_thread(world: World, address: str, error: type) -> None:
    assert outcome(world.deliveries.check(address, None)) == [error]
    assert world.threads.held == []


def test_who_has_another_uid_is_left_to_others(world: World) -> None:
    with contextlib.closing(Message.of([BODY])) as message:
        assert outcome(world.deliveries.check("ann", None)) == [None]
        assert outcome(world.deliveries.deliver("ann@a.org", "s@x", message)) == [None]
    assert world.elsewhere.asked == [("check", "ann", None), ("deliver", "ann", "s@x")]
    assert world.threads.held == []


def test_a_full_mailbox_is_known_before_the_message_comes(world: World) -> None:
    world.site.quotas.write_text("joe:10\n")
    (world.home.path / "Maildir" / "new" / "1.x.host,S=20").write_bytes(b"x" * 20)
    over = outcome(world.deliveries.check("joe", None))
    world.threads.go()
    assert over == [QuotaExceededError]


def test_a_home_whose_file_system_nobody_can_tell_makes_mail_wait(world: World) -> None:
    world.file_system = OSError(5, "Input/output error")
    assert outcome(world.deliveries.check("joe", None)) == [HomeUnavailableError]


def test_deliveries_to_one_user_take_turns(world: World) -> None:
    with contextlib.closing(Message.of([BODY])) as message:
        over = [outcome(world.deliveries.deliver("joe", "s@x", message)) for _ in range(3)]
        assert len(world.threads.held) == 1
        world.threads.go()
    assert over == [[None]] * 3
    assert len(world.home.mail()) == 3
    assert world.turns._turns == {}


def test_a_delivery_waits_while_sessions_have_all_operations_of_the_user(world: World) -> None:
    sessions = [outcome(world.bulkheads.run(UserName("joe"), "/", lambda: None)) for _ in range(2)]
    over = outcome(world.deliveries.check("joe", None))
    world.clock.advance(RETRY_SECONDS)
    assert (sessions, over) == ([[], []], [])
    world.threads.go()
    world.clock.advance(2 * RETRY_SECONDS)
    world.threads.go()
    assert over == [None]


def test_a_delivery_that_waits_for_long_asks_less_and_less_often(world: World) -> None:
    sessions = [outcome(world.bulkheads.run(UserName("joe"), "/", lambda: None)) for _ in range(2)]
    over = outcome(world.deliveries.check("joe", None))
    world.clock.pump([RETRY_SECONDS] * 380)  # 19 seconds: then the sessions' operations count as stuck
    assert (sessions, over) == ([[], []], [])
    assert world.bulkheads.totals.refused <= 15
    world.threads.go()
    world.clock.advance(RETRY_SECONDS_MAX)
    world.threads.go()
    assert over == [None]


def test_a_delivery_that_is_cancelled_in_the_line_gives_its_turn_back(world: World) -> None:
    with contextlib.closing(Message.of([BODY])) as message:
        first = outcome(world.deliveries.deliver("joe", "s@x", message))
        second = world.deliveries.deliver("joe", "s@x", message)
        third = outcome(world.deliveries.deliver("joe", "s@x", message))
        gone = outcome(second)
        second.cancel()
        assert len(gone) == 1
        world.threads.go()
    assert (first, third) == ([None], [None])
    assert len(world.home.mail()) == 2


OPERATION_SECONDS = LimitsSettings().operation_seconds


def test_a_delivery_that_the_bulkheads_give_up_has_its_message_until_its_thread_is_back(world: World) -> None:
    with contextlib.closing(Message.of([BODY])) as message:
        over = outcome(world.deliveries.deliver("joe", "s@x", message))
        world.clock.advance(OPERATION_SECONDS)
        assert (world.bulkheads.totals.stuck, over) == (1, [])
        world.threads.go()
    assert over == [None]  # as it is: the mail is there
    assert len(world.home.mail()) == 1


def test_a_delivery_that_is_given_up_and_cancelled_after_that_has_its_message_until_its_thread_is_back(
    world: World,
) -> None:
    # As with every home that hangs: first the bulkheads' time is over, then the client's.
    with contextlib.closing(Message.of([BODY])) as message:
        delivering = world.deliveries.deliver("joe@a.org", "s@x", message)
        over = outcome(delivering)
        world.clock.advance(LimitsSettings().operation_seconds + 1)
        for _ in range(2):
            delivering.cancel()
            assert over == []
        world.threads.go()
    assert over == [None]
    assert len(world.home.mail()) == 1


@pytest.mark.parametrize("full", [False, True])
def test_a_delivery_that_is_cancelled_after_it_began_is_over_when_its_thread_is_back(world: World, full: bool) -> None:
    with contextlib.closing(Message.of([BODY])) as message:
        delivering = world.deliveries.deliver("joe", "s@x", message)
        over = outcome(delivering)
        delivering.cancel()
        assert over == []
        if full:
            world.site.quotas.write_text("joe:1\n")
            world.home.write(".qmail", "./nowhere/\n")
        world.threads.go()
    assert over == [CancelledError if full else None]
    assert len(world.home.mail()) == (0 if full else 1)


def test_what_waits_behind_a_delivery_that_hangs_costs_nothing_and_is_never_done_once_cancelled(world: World) -> None:
    with contextlib.closing(Message.of([BODY])) as message:
        hung = outcome(world.deliveries.deliver("joe", "s@x", message))
        waiting = world.deliveries.deliver("joe", "s@x", message)
        over = outcome(waiting)
        world.clock.advance(OPERATION_SECONDS)
        assert (over, world.clock.getDelayedCalls()) == ([], [])
        waiting.cancel()
        assert over == [CancelledError]
        world.threads.go()
    assert hung == [None]
    assert len(world.home.mail()) == 1


def test_a_check_that_hangs_is_given_up_at_once(world: World) -> None:
    over = outcome(world.deliveries.check("joe", None))
    world.clock.advance(OPERATION_SECONDS)
    assert over == [OperationTimedOutError]
    world.threads.go()
