"""Tests of ``spool.mbox.batch``; ``tests/crash/test_import.py`` stops it everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from spool.errors import MailboxUnavailableError
from spool.mailbox import MailboxKind
from spool.mbox import batch
from spool.mbox.batch import batch_path, last_line
from spool.mbox.blocks import BLOCK_OCTETS
from spool.mbox.mailbox import MboxMailbox
from spool.settings import SpoolSettings
from tests.mailbox_locations import location_in

FROM = b"From sender@example.org Thu Jan  1 00:00:00 2015\n"
ONE = FROM + b"Subject: one\n\nfirst\n\n"
TWO = FROM + b"Subject: two\n\nsecond\n\n"
BEFORE = FROM + b"Subject: before\n\n\n"
FOREIGN = FROM + b"Subject: foreign\n\n\n"


@pytest.fixture
def mailbox(tmp_path: Path) -> MboxMailbox:
    """An mbox with one message in it."""
    location = location_in(tmp_path / "home", MailboxKind.MBOX)
    location.state.mkdir(mode=0o700)
    location.path.write_bytes(BEFORE)
    return MboxMailbox(location, SpoolSettings(root=tmp_path, mbox_lock_seconds=0.5))


def staged(mailbox: MboxMailbox, octets: bytes = ONE + TWO) -> Path:
    path = mailbox.location.state / "staged"
    path.write_bytes(octets + last_line())
    return path


def broken_off(mailbox: MboxMailbox, left: bytes, octets: bytes = ONE + TWO) -> bytes:
    """What the mbox holds after the next user of its locks has found a batch, and ``left`` in the mbox."""
    path = batch_path(mailbox.location)
    path.write_bytes(octets + last_line(len(BEFORE)))
    mailbox.location.path.write_bytes(left)
    with mailbox.locked():
        pass
    assert not path.exists()
    return mailbox.location.path.read_bytes()


def test_all_messages_are_appended_and_the_staged_file_is_gone(mailbox: MboxMailbox) -> None:
    path = staged(mailbox)
    mailbox.append_batch(path)
    assert mailbox.location.path.read_bytes() == BEFORE + ONE + TWO
    assert list(mailbox.location.state.iterdir()) == []
    mailbox.append_batch(path)  # is gone, and so nothing is left to be done
    assert mailbox.location.path.read_bytes() == BEFORE + ONE + TWO


def test_what_a_torn_delivery_left_is_closed_off_first(mailbox: MboxMailbox) -> None:
    mailbox.location.path.write_bytes(BEFORE + FROM + b"Subject: torn")
    mailbox.append_batch(staged(mailbox))
    assert mailbox.location.path.read_bytes() == BEFORE + FROM + b"Subject: torn\n\n" + ONE + TWO


@pytest.mark.parametrize("octets", [0, 1, 4, len(ONE) - 1, len(ONE), len(ONE) + 5, len(ONE + TWO)])
def test_whoever_comes_next_appends_the_rest_of_a_batch(mailbox: MboxMailbox, octets: int) -> None:
    assert broken_off(mailbox, BEFORE + (ONE + TWO)[:octets]) == BEFORE + ONE + TWO


@pytest.mark.parametrize("torn", [b"\0" * 9, ONE[:9] + b"\0" * 30, b"\0" * len(ONE) + TWO, ONE + b"\0\0" + TWO[2:]])
@pytest.mark.parametrize("block_octets", [16, BLOCK_OCTETS])
def test_nuls_of_a_power_cut_are_written_over(
    mailbox: MboxMailbox, torn: bytes, block_octets: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "BLOCK_OCTETS", block_octets)
    assert broken_off(mailbox, BEFORE + torn) == BEFORE + ONE + TWO


def test_mail_that_came_after_the_whole_batch_stays(mailbox: MboxMailbox) -> None:
    assert broken_off(mailbox, BEFORE + ONE + TWO + FOREIGN) == BEFORE + ONE + TWO + FOREIGN


def test_if_another_program_wrote_after_a_torn_batch_the_missing_messages_follow(mailbox: MboxMailbox) -> None:
    torn = TWO[: len(FROM) + 10]
    expected = BEFORE + ONE + torn + b"\n\n" + FOREIGN + TWO
    assert broken_off(mailbox, BEFORE + ONE + torn + b"\n\n" + FOREIGN) == expected


def test_an_equal_message_before_the_batch_is_not_taken_for_one_of_it(mailbox: MboxMailbox) -> None:
    left = BEFORE + ONE + FOREIGN.rstrip(b"\n")
    assert broken_off(mailbox, left, ONE + BEFORE) == left + b"\n\n" + BEFORE


def test_if_another_program_rewrote_the_mbox_only_missing_messages_are_appended(mailbox: MboxMailbox) -> None:
    assert broken_off(mailbox, TWO) == TWO + ONE
    assert broken_off(mailbox, FOREIGN + TWO + ONE) == FOREIGN + TWO + ONE


@pytest.mark.parametrize("left", [b"", b"short", b"mailspool-mbox-batch 1 0000000000000000000x\n"])
def test_a_foreign_file_in_the_place_of_a_batch_is_left_alone(mailbox: MboxMailbox, left: bytes) -> None:
    batch_path(mailbox.location).write_bytes(left)
    with pytest.raises(MailboxUnavailableError), mailbox.locked():
        raise AssertionError
    assert batch_path(mailbox.location).read_bytes() == left


def test_an_mbox_that_is_not_one_is_left_alone(mailbox: MboxMailbox) -> None:
    mailbox.location.path.write_bytes(b"no mbox\n")
    with pytest.raises(MailboxUnavailableError):
        mailbox.append_batch(staged(mailbox))
    assert mailbox.location.path.read_bytes() == b"no mbox\n"
