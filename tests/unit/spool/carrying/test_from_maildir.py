"""Tests of ``spool.carrying.from_maildir``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from spool.carrying.from_maildir import messages_of
from spool.errors import MailboxChangedError
from spool.maildir.directories import MessageDirectories
from tests.mailbox_locations import location_in
from tests.unit.spool.carrying.messages import SEEN


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    """A Maildir with two messages of which the names tell no time."""
    maildir = location_in(tmp_path / "home").path
    (maildir / "new" / "a").write_bytes(b"Subject: a\r\n\r\nFrom x\n")
    (maildir / "cur" / "b:2,S").write_bytes(b"")
    os.utime(maildir / "new" / "a", (2000, 2000))
    os.utime(maildir / "cur" / "b:2,S", (1000, 1000))
    return maildir


@pytest.fixture
def directories(maildir: Path) -> Iterator[MessageDirectories]:
    opened = MessageDirectories(maildir)
    yield opened
    opened.close()


def test_messages_come_in_order_with_all_that_the_maildir_knows(directories: MessageDirectories) -> None:
    b, a = messages_of(directories, directories.scan().places)
    assert [message.identity for message in (b, a)] == [message.key for message in (b, a)] == ["b", "a"]
    assert (b"".join(a.pieces()), b"".join(b.pieces())) == (b"Subject: a\r\n\r\nFrom x\n", b"")
    assert (a.seconds, a.wire_octets, a.flags.recent, a.from_line) == (2000, 22, True, None)
    assert (b.seconds, b.wire_octets, b.flags) == (1000, 0, SEEN)


def test_a_message_that_is_gone_is_left_out_or_a_change(maildir: Path, directories: MessageDirectories) -> None:
    places = directories.scan().places
    messages = list(messages_of(directories, places))
    (maildir / "new" / "a").unlink()
    with pytest.raises(MailboxChangedError):
        b"".join(messages[1].pieces())
    assert [message.identity for message in messages_of(directories, places)] == ["b"]


def test_a_message_that_goes_between_looking_and_reading_is_left_out(
    maildir: Path, directories: MessageDirectories
) -> None:
    (maildir / "new" / "5.late.host").touch()  # a name with a time: nobody needs to look at the file for its order
    messages = messages_of(directories, directories.scan().places)
    (maildir / "new" / "5.late.host").unlink()
    assert [message.identity for message in messages] == ["b", "a"]
