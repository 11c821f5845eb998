import os
from pathlib import Path

import pytest

from spool.errors import MailboxBusyError, MailboxChangedError, MailboxUnavailableError
from spool.mailbox import MessageFacts
from spool.mbox.maildrop import MboxMaildrop
from tests.unit.spool.mbox.mbox_files import location_of, mailbox_in, mbox_of

A, B, C = b"Subject: a\n\na\n", b"Subject: b\n\nb\n", b"Subject: c\n\nc\n"
LONG = b"Subject: long\n\n" + b"line\n" * 100_000
STORAGE_ONLY = b"".join(b"X-Keywords: %d\n" % number for number in range(20_000))


def mbox_path(home: Path) -> Path:
    return location_of(home).path


def maildrop_of(home: Path, *messages: bytes) -> MboxMaildrop:
    return mailbox_in(home, mbox_of(*messages)).open_maildrop()


def read(maildrop: MboxMaildrop, number: int) -> bytes:
    reader = maildrop.open_message(number)
    return b"".join(iter(reader.read, b""))


def test_messages_are_read_in_wire_form_without_what_the_storage_added(tmp_path: Path) -> None:
    maildrop = maildrop_of(tmp_path, b"Status: RO\nSubject: a\n\n>From b\n", LONG, STORAGE_ONLY + b"\nb\n", b"")
    wire = [b"Subject: a\r\n\r\nFrom b\r\n", LONG.replace(b"\n", b"\r\n"), b"\r\nb\r\n", b""]
    assert [read(maildrop, number) for number in (1, 2, 3, 4)] == wire
    assert list(maildrop.wire_octets) == list(map(len, wire))


@pytest.mark.parametrize("number", [0, -1, 3])
def test_a_number_that_is_no_messages_is_an_error_of_the_caller(tmp_path: Path, number: int) -> None:
    maildrop = maildrop_of(tmp_path, A, B)
    with pytest.raises(IndexError):
        maildrop.open_message(number)


def test_a_closed_reader_reads_no_more(tmp_path: Path) -> None:
    reader = maildrop_of(tmp_path, A).open_message(1)
    reader.close()
    reader.close()
    with pytest.raises(MailboxUnavailableError):
        reader.read()


@pytest.mark.parametrize(
    "changed", [mbox_of(A, C), mbox_of(B, A), mbox_of(b"Status: RO\n" + A, B), mbox_of(A, b"x" * 100)]
)
def test_a_message_that_is_not_where_it_was_is_an_error_and_nothing_is_removed(tmp_path: Path, changed: bytes) -> None:
    maildrop = maildrop_of(tmp_path, A, B)
    mbox_path(tmp_path).write_bytes(changed)
    with pytest.raises(MailboxChangedError):
        read(maildrop, 2)
    mbox_path(tmp_path).write_bytes(mbox_of(A, B))
    with pytest.raises(MailboxChangedError):
        maildrop.commit(deleted={1}, retrieved=set())
    assert mbox_path(tmp_path).read_bytes() == mbox_of(A, B)


def test_a_long_message_changed_while_it_is_sent_is_not_sent_to_its_end(tmp_path: Path) -> None:
    reader = maildrop_of(tmp_path, LONG).open_message(1)
    assert reader.read().startswith(b"Subject: long\r\n")
    content = mbox_path(tmp_path).read_bytes()
    mbox_path(tmp_path).write_bytes(content[:-10] + b"LINE\nLINE\n")
    with pytest.raises(MailboxChangedError):
        b"".join(iter(reader.read, b""))


def test_a_file_cut_while_a_message_is_sent_is_an_error(tmp_path: Path) -> None:
    reader = maildrop_of(tmp_path, LONG).open_message(1)
    reader.read()
    os.truncate(mbox_path(tmp_path), 1000)
    with pytest.raises(MailboxChangedError):
        b"".join(iter(reader.read, b""))


@pytest.mark.parametrize("happening", ["replaced", "cut", "removed"])
def test_an_mbox_that_is_another_file_is_an_error(tmp_path: Path, happening: str) -> None:
    maildrop = maildrop_of(tmp_path, A, B)
    path = mbox_path(tmp_path)
    match happening:
        case "replaced":
            path.rename(path.with_name("old"))
            path.write_bytes(mbox_of(A, B))
        case "cut":
            os.truncate(path, 10)
        case _:
            path.unlink()
    with pytest.raises(MailboxChangedError):
        maildrop.open_message(1)
    with pytest.raises(MailboxChangedError):
        maildrop.commit(deleted={1}, retrieved=set())


@pytest.mark.parametrize("happening", ["rewritten", "removed"])
def test_a_change_that_only_quit_notices_removes_nothing(tmp_path: Path, happening: str) -> None:
    maildrop = maildrop_of(tmp_path, A, B)
    if happening == "removed":
        mbox_path(tmp_path).unlink()
    else:
        mbox_path(tmp_path).write_bytes(mbox_of(B, A))
    with pytest.raises(MailboxChangedError):
        maildrop.commit(deleted={1}, retrieved=set())
    if happening == "rewritten":
        assert mbox_path(tmp_path).read_bytes() == mbox_of(B, A)


def test_a_shared_maildrop_removes_nothing(tmp_path: Path) -> None:
    mailbox = mailbox_in(tmp_path, mbox_of(A))
    first = mailbox.open_maildrop()
    shared = mailbox.open_maildrop(share=True)
    assert (first.read_only, shared.read_only) == (False, True)
    assert read(shared, 1) == A.replace(b"\n", b"\r\n")
    with pytest.raises(MailboxBusyError):
        shared.commit(deleted={1}, retrieved=set())
    shared.close()
    first.close()


def test_an_id_of_a_removed_message_does_not_come_back(tmp_path: Path) -> None:
    mailbox = mailbox_in(tmp_path, mbox_of(A))
    first = mailbox.open_maildrop()
    first.commit(deleted={1}, retrieved=set())
    first.close()
    mbox_path(tmp_path).write_bytes(mbox_of(A))
    again = mailbox.open_maildrop()
    assert again.unique_ids[0] != first.unique_ids[0]
    again.close()


def test_what_was_read_is_remembered_without_touching_the_file(tmp_path: Path) -> None:
    mailbox = mailbox_in(tmp_path, mbox_of(A, B, C))
    for retrieved, deleted, last in (({2}, set[int](), 2), ({1}, set[int](), 2), ({3}, {2}, 2), (set[int](), {1}, 1)):
        maildrop = mailbox.open_maildrop()
        maildrop.commit(deleted=deleted, retrieved=retrieved)
        maildrop.close()
        maildrop = mailbox.open_maildrop()
        assert maildrop.last_accessed == last
        maildrop.close()
    assert mbox_path(tmp_path).read_bytes() == mbox_of(C)


def test_a_mail_readers_mark_counts_as_read(tmp_path: Path) -> None:
    assert maildrop_of(tmp_path, b"Status: RO\n" + A, B).last_accessed == 1


class TestTimes:
    """Shells tell of new mail while the mbox was changed later than it was read."""

    CHANGED = 1000

    def times_after(self, home: Path, *, deleted: set[int], retrieved: set[int], arriving: bool) -> tuple[float, float]:
        mailbox = mailbox_in(home, mbox_of(A, B))
        os.utime(mbox_path(home), (900, self.CHANGED))
        maildrop = mailbox.open_maildrop()
        read(maildrop, 1)
        if arriving:
            with mbox_path(home).open("ab") as file:
                file.write(mbox_of(C))
            os.utime(mbox_path(home), (900, self.CHANGED))
        maildrop.commit(deleted=deleted, retrieved=retrieved)
        maildrop.close()
        status = mbox_path(home).stat()
        return status.st_atime, status.st_mtime

    def test_looking_for_mail_leaves_it_new(self, tmp_path: Path) -> None:
        assert self.times_after(tmp_path, deleted=set(), retrieved=set(), arriving=False) == (900, 1000)

    @pytest.mark.parametrize("deleted", [set[int](), {1}, {1, 2}])
    def test_mail_that_was_read_is_not_new(self, tmp_path: Path, deleted: set[int]) -> None:
        assert self.times_after(tmp_path, deleted=deleted, retrieved={1}, arriving=False) == (1001, 1000)

    @pytest.mark.parametrize("deleted", [set[int](), {1}, {1, 2}])
    def test_mail_that_arrived_meanwhile_is_new(self, tmp_path: Path, deleted: set[int]) -> None:
        assert self.times_after(tmp_path, deleted=deleted, retrieved={1}, arriving=True) == (900, 1000)


def test_what_is_known_of_a_message_is_its_size_in_the_file_its_date_and_whether_it_was_read(tmp_path: Path) -> None:
    from_line = b"From a@example.org Thu Jan  1 00:01:40 1970\n"
    maildrop = mailbox_in(tmp_path, from_line + b"Status: RO\n" + A + b"\n" + from_line + B + b"\n").open_maildrop()
    assert maildrop.facts(1) == MessageFacts(len(from_line + b"Status: RO\n" + A) + 1, 100, fetched=True)
    assert maildrop.facts(2) == MessageFacts(len(from_line + B) + 1, 100, fetched=False)


@pytest.mark.parametrize("number", [0, 3])
def test_nothing_is_known_of_what_is_no_message(tmp_path: Path, number: int) -> None:
    maildrop = maildrop_of(tmp_path, A, B)
    with pytest.raises(IndexError):
        maildrop.facts(number)


def test_nothing_is_known_of_a_message_that_is_not_where_it_was(tmp_path: Path) -> None:
    maildrop = maildrop_of(tmp_path, A, B)
    mbox_path(tmp_path).write_bytes(b"x" + mbox_of(A, B))
    with pytest.raises(MailboxChangedError):
        maildrop.facts(2)
