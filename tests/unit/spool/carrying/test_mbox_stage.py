"""Tests of ``spool.carrying.mbox_stage``."""

from __future__ import annotations

from pathlib import Path

import pytest

from spool.carrying.mbox_stage import MboxStage
from spool.errors import MailboxBusyError
from spool.mailbox import MailboxKind
from spool.session_lock import SessionLock
from spool.settings import SpoolSettings
from tests.one_user import OneUser
from tests.unit.spool.carrying.messages import SEEN, carried

ONE, EQUAL = b"Subject: one\n\n", b"Subject: equal\n\n"
PLAIN = [carried(ONE, flags=SEEN), carried(EQUAL)]
WITH_IDS = [carried(EQUAL, unique_id="id-1"), carried(ONE, unique_id="id-2")]


@pytest.fixture
def user(tmp_path: Path) -> OneUser:
    return OneUser(tmp_path / "home", MailboxKind.MBOX)


@pytest.fixture
def stage(user: OneUser) -> MboxStage:
    return MboxStage(user.location, SpoolSettings(root=user.home.parent, mbox_lock_seconds=0.5))


def ids(user: OneUser) -> list[str]:
    return [message.unique_id for message in user.messages()]


def test_nobody_sees_what_is_staged(user: OneUser, stage: MboxStage) -> None:
    stage.write(PLAIN)
    assert user.messages() == []


def test_published_messages_are_appended_with_their_marks(user: OneUser, stage: MboxStage) -> None:
    user.deliver(b"Subject: before\n\n")
    stage.publish(stage.write(PLAIN))
    assert [message.octets for message in user.messages()][1:] == [b"Subject: one\r\n\r\n", b"Subject: equal\r\n\r\n"]
    assert b"\nStatus: RO\nSubject: one\n" in user.location.path.read_bytes()


def test_messages_without_ids_of_their_own_may_come_during_a_session(user: OneUser, stage: MboxStage) -> None:
    lock = SessionLock(user.location)
    stage.publish(stage.write(PLAIN))
    lock.release()
    assert len(user.messages()) == 2


def test_ids_are_given_and_those_that_are_there_stay(user: OneUser, stage: MboxStage) -> None:
    user.deliver(EQUAL)
    before = ids(user)
    stage.publish(stage.write(WITH_IDS))
    assert ids(user) == [*before, "id-1", "id-2"]


def test_ids_are_given_in_an_mbox_that_is_not_there_yet(user: OneUser, stage: MboxStage) -> None:
    stage.publish(stage.write(WITH_IDS))
    assert ids(user) == ["id-1", "id-2"]


def test_messages_with_ids_wait_for_the_end_of_a_session(user: OneUser, stage: MboxStage) -> None:
    staged = stage.write(WITH_IDS)
    lock = SessionLock(user.location)
    with pytest.raises(MailboxBusyError):
        stage.publish(staged)
    lock.release()
    stage.publish(staged)
    stage.publish(staged)  # again, as after a crash
    assert ids(user) == ["id-1", "id-2"]


def test_a_cleared_stage_is_not_published(user: OneUser, stage: MboxStage) -> None:
    stage.clear()
    staged = stage.write(PLAIN)
    stage.clear()
    stage.clear()
    stage.publish(staged)
    assert user.messages() == []
