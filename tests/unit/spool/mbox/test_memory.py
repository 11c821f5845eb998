import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from spool.kept_snapshots import KeptSnapshots
from spool.mbox import memory as memory_module
from spool.mbox.index import MboxIndex
from spool.mbox.mailbox import MboxMailbox
from spool.mbox.maildrop import MboxMaildrop
from spool.mbox.parts import read_part
from spool.state import state_file
from spool.unique_ids import UniqueIdFile
from tests.unit.spool.mbox.mbox_files import location_of, mailbox_in, mbox_of

MAIL = [b"Subject: %d\n\n%d\n" % (number, number) for number in range(6)]
LATER = 10**10  # nanoseconds from now; by then a file of now has settled


class Counted:
    """Counts how many octets of messages are read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.octets = 0

        def counted(reader, start, limit, *, unquote):  # type: ignore[no-untyped-def]
            self.octets += reader.end - start
            return read_part(reader, start, limit, unquote=unquote)

        monkeypatch.setattr("spool.mbox.scanning.read_part", counted)

    def by(self, action: Callable[[], object]) -> int:
        """How many an action reads."""
        before = self.octets
        action()
        return self.octets - before


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    monkeypatch.setattr(memory_module, "INDEX_OCTETS", 100)
    return Counted(monkeypatch)


@pytest.fixture
def mailbox(tmp_path: Path, counted: Counted) -> MboxMailbox:
    mailbox_in(tmp_path, mbox_of(*MAIL))
    return mailbox_of(tmp_path)


def mailbox_of(home: Path, *, young: bool = False) -> MboxMailbox:
    """The mailbox in a process that was just started."""
    return mailbox_in(home, kept=KeptSnapshots(10**6), clock_ns=lambda: time.time_ns() + (0 if young else LATER))


def session(mailbox: MboxMailbox, *deleted: int, retrieved: set[int] | None = None) -> list[str]:
    maildrop = mailbox.open_maildrop()
    maildrop.commit(deleted=set(deleted), retrieved=retrieved or set())
    maildrop.close()
    return list(maildrop.unique_ids)


def index_file(home: Path) -> Path:
    return state_file(location_of(home), MboxIndex.SUFFIX)


def append(home: Path, *messages: bytes) -> int:
    octets = mbox_of(*messages)
    with location_of(home).path.open("ab") as file:
        file.write(octets)
    return len(octets)


def test_an_mbox_is_read_once_in_a_process(mailbox: MboxMailbox, counted: Counted) -> None:
    assert counted.by(lambda: session(mailbox)) == len(mbox_of(*MAIL))
    assert counted.by(lambda: session(mailbox)) == 0


def test_an_mbox_is_read_once_for_all_processes(tmp_path: Path, mailbox: MboxMailbox, counted: Counted) -> None:
    ids = session(mailbox)
    assert counted.by(lambda: session(mailbox_of(tmp_path))) == 0
    assert session(mailbox_of(tmp_path)) == ids


def test_only_what_arrived_is_read(tmp_path: Path, mailbox: MboxMailbox, counted: Counted) -> None:
    session(mailbox)
    arrived = append(tmp_path, b"Subject: new\n\nnew\n")
    assert counted.by(lambda: session(mailbox)) == arrived
    assert counted.by(lambda: session(mailbox)) == 0
    assert counted.by(lambda: session(mailbox_of(tmp_path))) == arrived


def test_an_index_is_written_when_much_is_missing_in_it(tmp_path: Path, mailbox: MboxMailbox, counted: Counted) -> None:
    session(mailbox)
    before = index_file(tmp_path).read_bytes()
    append(tmp_path, b"A: b\n\nc\n")
    session(mailbox)
    assert index_file(tmp_path).read_bytes() == before
    append(tmp_path, b"A: b\n\n" + b"c\n" * 100)
    session(mailbox)
    assert index_file(tmp_path).read_bytes() != before
    assert counted.by(lambda: session(mailbox_of(tmp_path))) == 0


def test_marking_an_mbox_as_read_does_not_make_it_unknown(
    tmp_path: Path, mailbox: MboxMailbox, counted: Counted
) -> None:
    session(mailbox)
    session(mailbox, retrieved={1, 2})
    assert counted.by(lambda: session(mailbox)) == 0
    assert counted.by(lambda: session(mailbox_of(tmp_path))) == 0


def test_what_lies_before_a_removed_message_stays_known(tmp_path: Path, mailbox: MboxMailbox, counted: Counted) -> None:
    session(mailbox, 4)
    assert counted.by(lambda: session(mailbox)) == len(mbox_of(*MAIL[4:]))
    session(mailbox, 5)
    assert counted.by(lambda: session(mailbox_of(tmp_path))) == 0
    session(mailbox, 1)
    assert not index_file(tmp_path).exists()
    assert counted.by(lambda: session(mailbox)) == len(mbox_of(*MAIL[1:3], MAIL[4]))


def test_an_mbox_that_was_rewritten_beside_the_session_is_read_again(
    tmp_path: Path, mailbox: MboxMailbox, counted: Counted
) -> None:
    session(mailbox)
    maildrop = mailbox.open_maildrop()
    changed = mbox_of(b"Subject: x\n\nx\n", *MAIL[1:])
    location_of(tmp_path).path.write_bytes(changed)
    maildrop.commit(deleted={6}, retrieved=set())
    maildrop.close()
    assert counted.by(lambda: session(mailbox)) == len(changed) - len(mbox_of(MAIL[5]))


def found_changed(maildrop: MboxMaildrop) -> None:
    reader = maildrop.open_message(1)
    while reader.read():
        pass


@pytest.mark.parametrize("shared", [False, True])
def test_after_an_error_nothing_is_believed(
    tmp_path: Path, mailbox: MboxMailbox, counted: Counted, shared: bool
) -> None:
    session(mailbox)
    status = location_of(tmp_path).path.stat()
    first = mailbox.open_maildrop() if shared else None
    maildrop = mailbox.open_maildrop(share=shared)
    with location_of(tmp_path).path.open("r+b") as file:
        file.seek(status.st_size // 6 - 5)
        file.write(b"x")
    with pytest.raises(Exception, match="not where it was"):
        found_changed(maildrop)
    maildrop.close()
    if first is not None:
        first.close()
    assert index_file(tmp_path).exists() == shared
    assert counted.by(lambda: session(mailbox)) == status.st_size


def test_a_file_that_was_just_written_is_looked_at_as_one_that_grows(
    tmp_path: Path, counted: Counted, mailbox: MboxMailbox
) -> None:
    young = mailbox_of(tmp_path, young=True)
    session(young)
    assert counted.by(lambda: session(young)) == 0
    path = location_of(tmp_path).path
    # The same size, and perhaps the same time, but not the same end.
    path.write_bytes(mbox_of(*MAIL[:4], MAIL[5], MAIL[4]))
    assert counted.by(lambda: session(young)) == path.stat().st_size


def test_unique_ids_are_assigned_anew_when_somebody_has_changed_them(tmp_path: Path, mailbox: MboxMailbox) -> None:
    ids = session(mailbox)
    assert session(mailbox) == ids
    UniqueIdFile(location_of(tmp_path)).import_ids({ids[0]: ["imported"]})
    assert session(mailbox) == ["imported", *ids[1:]]
    assert session(mailbox) == ["imported", *ids[1:]]


def test_a_process_that_keeps_nothing_uses_the_index(tmp_path: Path, counted: Counted, mailbox: MboxMailbox) -> None:
    session(mailbox)
    os.utime(location_of(tmp_path).path, ns=(0, 7))
    fresh = mailbox_in(tmp_path, clock_ns=lambda: time.time_ns() + LATER)
    assert counted.by(lambda: session(fresh)) > 0
    assert counted.by(lambda: session(fresh)) == 0


def test_memory_is_bounded_by_what_is_told_of_it(mailbox: MboxMailbox) -> None:
    kept = KeptSnapshots(10**6)
    mailbox._kept = kept
    session(mailbox)
    assert 1000 < kept.octets < 1000 + 200 * len(MAIL)
