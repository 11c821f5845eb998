"""Tests of ``spool.carrying.carry``; ``tests/crash`` stops it everywhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from spool.assign import AssignRecord
from spool.carrying.carry import ROUNDS_MAX, Carrier, Found, owner_rights
from spool.carrying.journal import Carrying, load_carrying, save_carrying
from spool.carrying.message import CarriedMessage
from spool.errors import HomeUnavailableError, MailboxBusyError, MailboxUnavailableError
from spool.mailbox import MailboxKind
from spool.settings import SpoolSettings
from tests.one_user import OneUser
from tests.unit.spool.carrying.messages import carried

ONE, TWO = carried(b"Subject: one\n\n", seconds=1), carried(b"Subject: two\n\n", seconds=2)


class ListSource:
    """A source in memory; ``arriving`` comes to it, one each time its lock was released."""

    def __init__(self, *messages: CarriedMessage, arriving: Sequence[CarriedMessage] = ()) -> None:
        self.messages = list(messages)
        self.arriving = list(arriving)
        self.at_front = False
        self.removing_fails = False

    @contextlib.contextmanager
    def locked(self) -> Iterator[ListSource]:
        yield self
        if self.arriving:
            self.messages.insert(0 if self.at_front else len(self.messages), self.arriving.pop(0))

    def find(self) -> Found:
        return Found(tuple(self.messages), [message.identity for message in self.messages])

    def remove(self, taken: Sequence[str]) -> None:
        if self.removing_fails:
            raise MailboxUnavailableError("on purpose")
        self.messages = [message for message in self.messages if message.identity not in taken]


@pytest.fixture(params=list(MailboxKind), ids=lambda kind: kind.value)
def user(request: pytest.FixtureRequest, tmp_path: Path) -> OneUser:
    return OneUser(tmp_path / "home", request.param)


def carrier(user: OneUser, source: ListSource) -> Carrier:
    settings = SpoolSettings(root=user.home.parent, mbox_lock_seconds=0.5)
    return Carrier(source, user.location, settings, user.home / "journal", contextlib.nullcontext)


def octets(user: OneUser) -> list[bytes]:
    return [message.octets for message in user.messages()]


def test_all_messages_are_carried_in_order_and_leave_the_source(user: OneUser) -> None:
    source = ListSource(ONE, TWO)
    assert carrier(user, source).carry() == 2
    assert octets(user) == [b"Subject: one\r\n\r\n", b"Subject: two\r\n\r\n"]
    assert source.messages == []
    assert load_carrying(user.home / "journal") is None


def test_what_comes_meanwhile_is_carried_too(user: OneUser) -> None:
    assert carrier(user, ListSource(ONE, arriving=[TWO])).carry() == 2
    assert len(octets(user)) == 2


def test_a_source_that_was_changed_meanwhile_is_looked_at_again(user: OneUser) -> None:
    source = ListSource(ONE, arriving=[TWO])
    source.at_front = True
    assert carrier(user, source).carry() == 2
    assert sorted(octets(user)) == [b"Subject: one\r\n\r\n", b"Subject: two\r\n\r\n"]


def test_a_source_that_is_changed_without_end_is_busy(user: OneUser) -> None:
    source = ListSource(ONE, arriving=[TWO] * 3 * ROUNDS_MAX)
    source.at_front = True
    with pytest.raises(MailboxBusyError):
        carrier(user, source).carry()
    assert octets(user) == []


def test_what_was_published_before_trouble_is_not_carried_again(user: OneUser) -> None:
    source = ListSource(ONE, TWO)
    source.removing_fails = True
    with pytest.raises(MailboxUnavailableError):
        carrier(user, source).carry()
    assert len(octets(user)) == 2
    user.session(deleted={1})
    source.removing_fails = False
    assert carrier(user, source).carry() == 2  # that many were under way
    assert octets(user) == [b"Subject: two\r\n\r\n"]
    assert source.messages == []


def test_a_stage_without_a_journal_is_cleared(user: OneUser) -> None:
    source = ListSource(ONE)
    other = carrier(user, source)
    other._stage.write([TWO])
    assert other.carry() == 1
    assert octets(user) == [b"Subject: one\r\n\r\n"]


def test_finishing_does_only_what_is_under_way(user: OneUser) -> None:
    source = ListSource(ONE)
    assert carrier(user, source).finish() == 0
    save_carrying(user.home / "journal", Carrying([], [ONE.identity]))
    carrier(user, source).finish()
    assert source.messages == []
    assert octets(user) == []


def test_a_user_below_the_least_uid_has_no_rights() -> None:
    record = AssignRecord("ann", 1, 1, Path("/home/ann"))
    rights = owner_rights(record, SpoolSettings(root=Path("/mail")), uid_min=100)
    with pytest.raises(HomeUnavailableError), rights():
        raise AssertionError
