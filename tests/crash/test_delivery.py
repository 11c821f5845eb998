"""A delivery that is broken off: what was acknowledged is there once, the rest at most once, and nothing is spoilt."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from spool.mailbox import MailboxKind
from tests.crash.stopping import each_stop
from tests.one_user import OneUser, numbered, on_the_wire

BEFORE = [*numbered(range(3)), b"Subject: equal\n\n", b"Subject: equal\n\n", b"Subject: no line end\n\nFrom"]
BROKEN = b"Subject: broken off\n\n" + b"a line of the body\n" * 50
AFTER = b"Subject: after\n\nFrom here on all is well\n"


@pytest.fixture
def fresh(tmp_path: Path, kind: MailboxKind) -> Callable[[int], OneUser]:
    """Makes copies of one user with the same mail, unique-ids included."""
    original = OneUser(tmp_path / "original", kind)
    original.deliver(*BEFORE)
    original.messages()

    def copy(number: int) -> OneUser:
        shutil.copytree(original.home, tmp_path / str(number))
        return OneUser(tmp_path / str(number), kind)

    return copy


def deliver_broken(user: OneUser) -> Callable[[], object]:
    return partial(user.deliver, BROKEN)


def test_a_broken_delivery_is_there_at_most_once_and_an_acknowledged_one_once(
    fresh: Callable[[int], OneUser], kind: MailboxKind
) -> None:
    before = fresh(0).messages()
    for stopped in each_stop(fresh, deliver_broken):
        messages = stopped.state.messages()
        arrived = [message.octets for message in messages[len(before) :]]
        assert messages[: len(before)] == before
        if stopped.completed:
            assert arrived == [on_the_wire(BROKEN)]
        elif kind is MailboxKind.MAILDIR:
            assert arrived in ([], [on_the_wire(BROKEN)])
        else:  # an mbox may show the torn beginning
            assert len(arrived) <= 1
            assert all(on_the_wire(BROKEN).startswith(octets.rstrip(b"\r\n")) for octets in arrived)


def test_the_next_delivery_after_a_broken_one_is_whole(fresh: Callable[[int], OneUser]) -> None:
    before = fresh(0).messages()
    for stopped in each_stop(fresh, deliver_broken):
        user = stopped.state
        user.deliver(AFTER)
        messages = user.messages()
        assert messages[: len(before)] == before
        assert [message.octets for message in messages].count(on_the_wire(AFTER)) == 1
        assert messages[-1].octets == on_the_wire(AFTER)
        assert len(messages) <= len(before) + 2
        assert user.messages() == messages


def test_a_broken_delivery_into_an_empty_mailbox_spoils_nothing(tmp_path: Path, kind: MailboxKind) -> None:
    for stopped in each_stop(lambda number: OneUser(tmp_path / str(number), kind), deliver_broken):
        user = stopped.state
        user.deliver(AFTER)
        octets = [message.octets for message in user.messages()]
        assert octets[-1] == on_the_wire(AFTER)
        assert len(octets) <= 2
        if stopped.completed:
            assert octets[0] == on_the_wire(BROKEN)
