"""Tests of ``spool.carrying.from_mbox``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from spool.carrying.flags import Flags
from spool.carrying.from_mbox import messages_of
from spool.carrying.message import CarriedMessage
from spool.errors import MailboxChangedError
from tests.unit.spool.carrying.messages import SEEN

ONE = b"From a@example.org Thu Jan  1 00:00:10 2015\nStatus: RO\nSubject: one\n\n>From x\n\n"
TWO = b"From b@example.org\r\nSubject: two\n\nbody"
INTERNAL = b"From c@example.org Thu Jan  1 00:00:00 2015\nSubject: DON'T DELETE THIS MESSAGE\nX-IMAP: 1 2\n\n\n"


class Mbox:
    """An mbox file."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self.descriptor = os.open(path, os.O_RDWR)
        os.utime(path, (1000, 1000))
        self.path = path

    def messages(self, *, first: int = 0, unquote: bool = True) -> Sequence[CarriedMessage]:
        return list(messages_of(self.descriptor, first=first, unquote=unquote, keep_alive=lambda: None))


@pytest.fixture
def mbox(tmp_path: Path) -> Iterator[Mbox]:
    made = Mbox(tmp_path / "mbox")
    yield made
    os.close(made.descriptor)


def octets(message: CarriedMessage) -> bytes:
    return b"".join(message.pieces())


def test_messages_have_all_that_the_mbox_knows(mbox: Mbox) -> None:
    mbox.path.write_bytes(ONE + TWO.replace(b"From b@example.org", b"From b@example.org Fri Jan  2 00:00:00 2015"))
    one, two = mbox.messages()
    assert (octets(one), octets(two)) == (b"Subject: one\n\nFrom x\n", b"Subject: two\n\nbody")
    assert (one.flags, two.flags) == (SEEN, Flags())
    assert (one.seconds, two.seconds) == (1420070410, 1420156800)
    assert one.from_line == b"From a@example.org Thu Jan  1 00:00:10 2015\n"
    assert (one.wire_octets, two.wire_octets) == (24, 22)
    assert one.unique_id is None


def test_quoting_stays_if_pop3_shows_it(mbox: Mbox) -> None:
    mbox.path.write_bytes(ONE)
    assert octets(mbox.messages(unquote=False)[0]) == b"Subject: one\n\n>From x\n"


def test_a_first_from_line_without_a_date_is_of_the_file_s_time_and_not_kept(mbox: Mbox) -> None:
    mbox.path.write_bytes(TWO)
    os.utime(mbox.path, (1000, 1000))
    [message] = mbox.messages()
    assert (message.seconds, message.from_line) == (1000, None)


def test_the_message_of_an_imap_server_is_none(mbox: Mbox) -> None:
    mbox.path.write_bytes(INTERNAL + ONE)
    assert len(mbox.messages()) == 1


def test_messages_before_an_offset_are_left_out(mbox: Mbox) -> None:
    mbox.path.write_bytes(ONE + ONE + ONE)
    assert len(mbox.messages(first=len(ONE))) == 2
    assert mbox.messages(first=3 * len(ONE)) == []


def test_an_identity_does_not_follow_from_marks_or_the_place(mbox: Mbox) -> None:
    mbox.path.write_bytes(ONE + ONE.replace(b"Status: RO\n", b"") + ONE.replace(b"00:00:10", b"00:00:11"))
    one, marked, later = (message.identity for message in mbox.messages())
    assert one == marked
    assert one != later


def test_a_message_that_is_changed_meanwhile_is_not_given_whole(mbox: Mbox) -> None:
    mbox.path.write_bytes(ONE)
    [message] = mbox.messages()
    mbox.path.write_bytes(ONE.replace(b"one", b"two"))
    with pytest.raises(MailboxChangedError):
        octets(message)
    mbox.path.write_bytes(b"")
    with pytest.raises(MailboxChangedError):
        octets(message)
