from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spool.kept_snapshots import KeptSnapshots
from spool.maildir.directories import Found, MessageDirectories, Part, Place
from spool.maildir.listing_file import MESSAGES_MIN
from spool.stamps import SETTLED_NS
from spool.unique_ids import UniqueIdFile
from tests.unit.spool.maildir.maildirs import Maildir


@pytest.fixture
def maildir(tmp_path: Path) -> Iterator[Maildir]:
    maildir = Maildir(tmp_path)
    yield maildir
    maildir.directories.close()


def test_a_mailbox_without_change_is_not_read_again(maildir: Maildir) -> None:
    maildir.add("new/1.x.host")
    maildir.snapshot_again()  # has made the index of sizes
    first = maildir.snapshot_again()
    assert maildir.snapshot_again() is first
    assert maildir.kept.octets == first.octets


@pytest.mark.parametrize(
    "change",
    [
        lambda maildir: maildir.add("new/3.x.host"),
        lambda maildir: (maildir.location.path / "new/1.x.host").unlink(),
        lambda maildir: (maildir.location.path / "cur/2.x.host:2,").rename(maildir.location.path / "cur/2.x.host:2,S"),
        lambda maildir: (maildir.location.path / "new/1.x.host").rename(maildir.location.path / "cur/1.x.host"),
        lambda maildir: UniqueIdFile(maildir.location).import_ids({"1.x.host": ["old"]}),
        lambda maildir: (maildir.location.state / "maildir.sizes").unlink(),
    ],
    ids=["delivered", "removed", "flagged", "moved", "ids imported", "index lost"],
)
def test_any_change_is_seen(maildir: Maildir, change: Callable[[Maildir], object]) -> None:
    maildir.add("new/1.x.host")
    maildir.add("cur/2.x.host:2,")
    maildir.snapshot_again()
    before = maildir.snapshot_again()
    change(maildir)
    after = maildir.snapshot_again()
    fresh = maildir.snapshot()
    assert after is not before
    assert (after.bases, after.places, after.unique_ids) == (fresh.bases, fresh.places, fresh.unique_ids)
    assert (after.wire_octets, after.last_seen) == (fresh.wire_octets, fresh.last_seen)


def test_a_change_in_the_tick_of_the_one_before_is_seen(maildir: Maildir, monkeypatch: pytest.MonkeyPatch) -> None:
    maildir.add("new/1.x.host,W=3")
    (tick,) = {maildir.directories.stamp(Part.NEW)}
    monkeypatch.setattr(MessageDirectories, "stamp", lambda self, part: tick)
    maildir.now_ns = tick.ctime_ns + SETTLED_NS - 1
    maildir.snapshot_again()
    maildir.add("new/2.x.host,W=3")
    assert maildir.snapshot_again().unique_ids == ["1.x.host,W=3", "2.x.host,W=3"]
    assert maildir.kept.octets == 0


def test_a_young_listing_takes_the_old_one_s_place(maildir: Maildir) -> None:
    maildir.add("new/1.x.host,W=3")
    maildir.snapshot_again()
    assert maildir.kept.octets
    maildir.add("new/2.x.host,W=3")
    maildir.now_ns = time.time_ns()
    assert maildir.snapshot_again().unique_ids == ["1.x.host,W=3", "2.x.host,W=3"]
    assert maildir.kept.octets == 0


def test_a_guessed_size_is_not_kept(maildir: Maildir, monkeypatch: pytest.MonkeyPatch) -> None:
    maildir.add("new/1.x.host", b"a\n")

    def refuse(self: MessageDirectories, base: str, place: Place) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(MessageDirectories, "open_file", refuse)
        for _ in range(2):
            assert list(maildir.snapshot_again().wire_octets) == [2]
    assert list(maildir.snapshot_again().wire_octets) == [3]


def test_a_message_twice_is_mended_by_who_has_the_lock_and_not_kept_by_who_has_not(maildir: Maildir) -> None:
    maildir.add("new/1.x.host,W=3", b"a\n")
    maildir.add("cur/1.x.host,W=3:2,S", b"b\n")
    assert maildir.snapshot(maildir.kept, lock=False).places == [Place(Part.CUR, ":2,S")]
    assert maildir.kept.octets == 0
    assert len(maildir.snapshot_again().bases) == 2


def large(maildir: Maildir, messages: int = MESSAGES_MIN) -> None:
    for number in range(messages):
        maildir.add(f"cur/{1732420000 + number}.x.host,W=3:2,{'S' * (number % 2)}")


def refuse_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: MessageDirectories) -> Found:
        raise AssertionError("looked at the names")

    monkeypatch.setattr(MessageDirectories, "scan", refuse)


def test_another_process_need_not_read_a_large_mailbox(maildir: Maildir, monkeypatch: pytest.MonkeyPatch) -> None:
    large(maildir)
    first = maildir.snapshot_again()
    refuse_to_look(monkeypatch)
    later = KeptSnapshots(1_000_000)
    second = maildir.snapshot(later)
    assert second == first
    assert maildir.snapshot(later) is second


def test_nor_does_it_read_those_whose_sizes_were_counted_a_moment_ago(
    maildir: Maildir, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(MESSAGES_MIN):
        maildir.add(f"new/{1732420000 + number}.x.host")
    first = maildir.snapshot_again()
    refuse_to_look(monkeypatch)
    assert maildir.snapshot(KeptSnapshots(1_000_000)) == first


def test_a_change_of_a_large_mailbox_is_seen_by_another_process(maildir: Maildir) -> None:
    large(maildir)
    maildir.snapshot_again()
    maildir.add("new/1.x.host,W=3")
    assert maildir.snapshot().unique_ids[0] == "1.x.host,W=3"


def test_a_young_listing_is_not_written_and_a_shared_session_writes_none(maildir: Maildir) -> None:
    large(maildir)
    maildir.snapshot(maildir.kept, lock=False)
    maildir.now_ns = time.time_ns()
    maildir.snapshot()
    assert not (maildir.location.state / "maildir.listing").exists()
