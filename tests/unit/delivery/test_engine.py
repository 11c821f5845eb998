"""Tests of ``delivery.engine``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from delivery.destinations import Destination, Forward, Instruction, MaildirFile, MboxFile, OwnMaildrop, Program
from delivery.engine import Attempt, Means, Report, Run, deliver
from delivery.errors import ForwardingDeferredError, MailLoopError, ProgramDeferredError, ProgramRefusedError
from delivery.headers import added_lines
from delivery.messages import Message
from delivery.plans import Plan
from delivery.programs import Ended
from spool.errors import StorageFullError
from spool.mailbox import Delivered, Envelope, MailboxLocation, Maildrop
from tests.unit.delivery.homes import TestHome

MESSAGE = b"Subject: x\nX-UIDL: forged\nStatus: RO\n\nStatus: body\n"
STRIPPED = b"Subject: x\n\nStatus: body\n"
LINES = added_lines("joe@a.org", "s@x", 0)
OWN = OwnMaildrop()


@dataclass
class World:
    """Mailboxes, programs and a forwarder that write down what they get.

    ``full`` makes mailboxes fail, ``busy`` slots for programs; ``forwards`` says whether anything can be forwarded.
    """

    done: list[tuple[object, bytes]] = field(default_factory=list)
    environments: list[Mapping[bytes, bytes]] = field(default_factory=list)
    status: int | None = 0
    output: bytes = b""
    full: bool = False
    busy: bool = False
    slots: int = 0
    forwards: bool = True

    def means(self, *, programs: bool = True) -> Means:
        return Means(
            lambda place: _Mailbox(self, place),
            self.programs if programs else None,
            self,
        )

    @contextlib.contextmanager
    def programs(self) -> Iterator[Run]:
        if self.busy:
            raise ProgramDeferredError("no slot")
        self.slots += 1
        try:
            yield self.run
        finally:
            self.slots -= 1

    def run(self, command: str, environment: Mapping[bytes, bytes], message: Iterable[bytes]) -> Ended:
        assert self.slots == 1
        self.environments.append(environment)
        self.done.append((command, b"".join(message)))
        return Ended(self.status, self.output)

    def check(self) -> None:
        if not self.forwards:
            raise ForwardingDeferredError("nothing can be forwarded")

    def forward(self, message: Message, delivered_to: bytes, sender: str | None, recipients: Sequence[str]) -> None:
        self.done.append(((sender, *recipients), b"".join(message.with_lines(delivered_to))))


class _Mailbox:
    location: MailboxLocation

    def __init__(self, world: World, place: Destination) -> None:
        self._world = world
        self._place = place

    def deliver(self, message: Iterable[bytes], envelope: Envelope) -> Delivered:
        if self._world.full:
            raise StorageFullError("full")
        assert envelope == Envelope("s@x", "joe@a.org")
        self._world.done.append((self._place, b"".join(message)))
        return Delivered("here", 0, 0)

    def open_maildrop(self, *, share: bool = False) -> Maildrop:
        raise NotImplementedError


def attempt(home: TestHome, *destinations: Destination, message: bytes = MESSAGE) -> Attempt:
    instructions = tuple(Instruction(number, each) for number, each in enumerate(destinations, 1))
    plan = Plan("/h/.qmail", instructions, None, "owner@a.org")
    return Attempt(Message.of([message]), home.recipient(), "s@x", plan, LINES, ("Return-Path", "Delivered-To"))


def test_lines_are_followed_in_order_and_addresses_at_the_end(home: TestHome) -> None:
    world = World()
    mbox, maildir = MboxFile("./all"), MaildirFile("./Other")
    report = deliver(attempt(home, Forward("a@b"), mbox, Program("true"), Forward("c@d"), OWN, maildir), world.means())
    assert report == Report(mailboxes=3, programs=1, forwards=("a@b", "c@d"))
    stored = LINES.return_path + LINES.delivered_to + STRIPPED
    assert world.done == [
        (mbox, stored),
        ("true", MESSAGE),
        (OWN, stored),
        (maildir, stored),
        (("owner@a.org", "a@b", "c@d"), LINES.delivered_to + MESSAGE),
    ]
    assert world.environments[0][b"NEWSENDER"] == b"owner@a.org"


def test_no_instruction_throws_the_message_away(home: TestHome) -> None:
    world = World(forwards=False)
    assert deliver(attempt(home), world.means(programs=False)) == Report(0, 0, ())
    assert world.done == []


def test_a_program_of_a_dot_forward_has_the_lines_before_the_message(home: TestHome) -> None:
    world = World()
    deliver(attempt(home, Program("procmail", preline=True)), world.means())
    assert world.done == [("procmail", LINES.from_line + LINES.return_path + LINES.delivered_to + MESSAGE)]


def test_99_ends_the_instructions_and_forwards_what_stood_above(home: TestHome) -> None:
    world = World(status=99)
    report = deliver(attempt(home, Forward("a@b"), Program("x"), OWN, Forward("c@d")), world.means())
    assert report == Report(0, 1, ("a@b",))
    assert [what for what, _ in world.done] == ["x", ("owner@a.org", "a@b")]


@pytest.mark.parametrize("status", [100, 64, 65, 70, 76, 77, 78, 112])
def test_a_program_refuses_with_its_own_words(home: TestHome, status: int) -> None:
    world = World(status=status, output=b"no mail\x1b[2J\nplease\n")
    with pytest.raises(ProgramRefusedError, match=f"line 1: exit status {status}") as trouble:
        deliver(attempt(home, Program("x"), OWN, Forward("a@b")), world.means())
    assert trouble.value.status.permanent
    assert trouble.value.public_text == "no mail [2J please"
    assert len(world.done) == 1


@pytest.mark.parametrize("status", [111, 1, 2, 71, 74, 75, 126, 127, -9, None])
def test_anything_else_is_tried_again(home: TestHome, status: int | None) -> None:
    world = World(status=status, output=b"secret")
    with pytest.raises(ProgramDeferredError) as trouble:
        deliver(attempt(home, Program("x"), OWN, Forward("a@b")), world.means())
    assert not trouble.value.status.permanent
    assert "secret" not in trouble.value.public_text
    assert len(world.done) == 1


def test_a_failure_forwards_nothing(home: TestHome) -> None:
    world = World(full=True)
    with pytest.raises(StorageFullError):
        deliver(attempt(home, Forward("a@b"), OWN), world.means())
    assert world.done == []


def test_what_cannot_be_done_is_known_before_anything_is(home: TestHome) -> None:
    world = World(forwards=False)
    with pytest.raises(ProgramDeferredError, match="line 2: users' programs are not run"):
        deliver(attempt(home, OWN, Program("x")), world.means(programs=False))
    with pytest.raises(ForwardingDeferredError, match="nothing can be forwarded"):
        deliver(attempt(home, OWN, Forward("a@b")), world.means())
    assert world.done == []


def test_a_message_that_was_here_is_refused(home: TestHome) -> None:
    world = World()
    looping = b"Received: by x\n" + LINES.delivered_to + b"\nbody\n"
    with pytest.raises(MailLoopError) as trouble:
        deliver(attempt(home, OWN, message=looping), world.means())
    assert trouble.value.status.permanent
    assert world.done == []


def test_a_refusal_without_words_has_ours(home: TestHome) -> None:
    with pytest.raises(ProgramRefusedError) as trouble:
        deliver(attempt(home, Program("x")), World(status=100).means())
    assert trouble.value.public_text == "a program of the recipient refused the message"


def test_without_a_slot_no_line_is_followed(home: TestHome) -> None:
    world = World(busy=True)
    with pytest.raises(ProgramDeferredError, match="no slot"):
        deliver(attempt(home, OWN, Program("true")), world.means())
    assert world.done == []


def test_a_plan_without_programs_needs_no_slot(home: TestHome) -> None:
    world = World(busy=True)
    assert deliver(attempt(home, OWN), world.means()).mailboxes == 1
