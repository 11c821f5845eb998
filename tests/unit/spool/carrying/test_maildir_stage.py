"""Tests of ``spool.carrying.maildir_stage``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spool.carrying.maildir_stage import STAGE_NAME, MaildirStage
from spool.errors import MailboxUnavailableError
from spool.mailbox import MailboxKind
from tests.one_user import OneUser
from tests.unit.spool.carrying.messages import SEEN, carried

MESSAGES = [
    carried(b"Subject: one\n\n", seconds=1, unique_id="id-1"),
    carried(b"Subject: two\n\n", seconds=2, flags=SEEN),
]


@pytest.fixture
def user(tmp_path: Path) -> OneUser:
    return OneUser(tmp_path / "home", MailboxKind.MAILDIR)


@pytest.fixture
def stage(user: OneUser) -> MaildirStage:
    return MaildirStage(user.location)


def test_nobody_sees_what_is_staged(user: OneUser, stage: MaildirStage) -> None:
    stage.write(MESSAGES)
    assert user.messages() == []


def test_published_messages_have_their_octets_ids_and_marks(user: OneUser, stage: MaildirStage) -> None:
    staged = stage.write(MESSAGES)
    stage.publish(staged)
    one, two = user.messages()
    assert (one.unique_id, one.octets) == ("id-1", b"Subject: one\r\n\r\n")
    assert (two.unique_id, two.octets) == (staged[1].key, b"Subject: two\r\n\r\n")
    [name] = (path.name for path in (user.location.path / "cur").iterdir())
    assert name.endswith(":2,S")
    assert not (user.location.path / STAGE_NAME).exists()


def test_what_a_quota_says_is_counted_anew(user: OneUser, stage: MaildirStage) -> None:
    (user.location.path / "maildirsize").write_bytes(b"1000S\n0 0\n")
    stage.publish(stage.write(MESSAGES))
    assert not (user.location.path / "maildirsize").exists()


def test_publishing_again_does_the_rest_and_nothing_twice(user: OneUser, stage: MaildirStage) -> None:
    staged = stage.write(MESSAGES)
    path = user.location.path
    (path / STAGE_NAME / str(staged[0].name)).rename(path / "new" / str(staged[0].name))
    user.session(deleted={1})
    stage.publish(staged)
    stage.publish(staged)
    assert [message.octets for message in user.messages()] == [b"Subject: two\r\n\r\n"]


def test_a_message_with_both_names_is_there_once(user: OneUser, stage: MaildirStage) -> None:
    staged = stage.write(MESSAGES)
    path = user.location.path
    os.link(path / STAGE_NAME / str(staged[0].name), path / "cur" / f"{staged[0].name}:2,S")
    stage.publish(staged)
    assert len(user.messages()) == 2


def test_a_cleared_stage_is_not_published(user: OneUser, stage: MaildirStage) -> None:
    stage.clear()
    staged = stage.write(MESSAGES)
    stage.clear()
    stage.publish(staged)
    assert user.messages() == []


def test_the_stage_of_a_missing_maildir_is_an_error(user: OneUser, stage: MaildirStage) -> None:
    (user.home / "Maildir").rename(user.home / "away")
    with pytest.raises(MailboxUnavailableError):
        stage.write(MESSAGES)


def test_a_planted_link_is_not_followed(user: OneUser, stage: MaildirStage, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (user.location.path / STAGE_NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MailboxUnavailableError):
        stage.write(MESSAGES)
    assert list((tmp_path / "elsewhere").iterdir()) == []
