"""Tests of ``spool.importing.with_drop``: qpopper's temporary drop, killed at any moment."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from spool.importing.options import Outcome
from spool.mailbox import MailboxKind
from tests.unit.spool.importing.old_mail import Old, old_mbox, old_message, old_spool_in, shown


@pytest.fixture
def old(tmp_path: Path) -> Old:
    return old_spool_in(tmp_path, MailboxKind.MAILDIR)


@pytest.mark.parametrize(
    ("in_drop", "in_mbox", "expected"),
    [
        ([1, 2], [], [1, 2]),
        ([1, 2], [3], [1, 2, 3]),  # killed during a session
        ([1, 2], [1, 2], [1, 2]),  # killed before the mbox was cut
        ([1, 2, 3], [1, 3], [1, 2, 3]),  # killed while the rest was copied back
        ([1, 1], [1], [1, 1]),  # equal messages that were two
        ([], [1, 1], [1, 1]),
    ],
)
def test_no_message_is_lost_or_doubled_and_those_of_the_drop_come_first(
    old: Old, in_drop: Sequence[int], in_mbox: Sequence[int], expected: Sequence[int]
) -> None:
    old.drop.write_bytes(old_mbox(in_drop))
    old.mbox.write_bytes(old_mbox(in_mbox))
    assert old.ann().messages == len(expected)
    assert old.octets() == shown(expected)
    assert (old.drop.read_bytes(), old.mbox.read_bytes()) == (b"", b"")


@pytest.mark.parametrize("octets", [60, len(old_message(2)) - 2, len(old_message(2)) - 1])
def test_a_torn_beginning_of_a_message_that_is_whole_in_the_other_file_is_dropped(old: Old, octets: int) -> None:
    torn = old_message(2)[:octets]
    for one, other in ((old.drop, old.mbox), (old.mbox, old.drop)):
        one.write_bytes(old_mbox([1]) + torn)
        other.write_bytes(old_mbox([1, 2, 3]))
        assert old.ann().messages == 3
        assert (old.drop.read_bytes(), old.mbox.read_bytes()) == (b"", b"")
    assert sorted(old.octets()) == sorted(shown([1, 2, 3]) * 2)


def test_a_torn_message_that_is_nowhere_whole_is_kept(old: Old) -> None:
    old.drop.write_bytes(old_message(1)[:-4])
    old.mbox.write_bytes(old_mbox([2]))
    assert old.ann().messages == 2


def test_a_drop_alone_is_imported(old: Old) -> None:
    old.drop.write_bytes(old_mbox([1]))
    assert old.ann().messages == 1
    assert not old.mbox.exists()


def test_while_qpopper_has_a_session_the_user_is_put_off(old: Old) -> None:
    old.drop.write_bytes(old_mbox([1]))
    old.mbox.write_bytes(old_mbox([2]))
    descriptor = os.open(old.drop, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert old.ann().outcome is Outcome.BUSY
    assert old.octets() == []
    os.close(descriptor)
    assert old.ann().outcome is Outcome.DONE
    assert old.octets() == shown([1, 2])
