import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest

from spool import durable
from spool.errors import MailboxBusyError, MailboxUnavailableError, StorageFullError
from spool.mailbox import Envelope, MailboxLocation
from spool.mbox import mailbox as mailbox_module
from spool.mbox.journal import journal_path
from spool.session_lock import SessionLock
from spool.state import state_file
from tests.unit.spool.mbox.mbox_files import FROM, location_of, mailbox_in, mbox_of

ENVELOPE = Envelope("a@b.c")
MESSAGE = b"Subject: a\n\na\n"


def content(home: Path) -> bytes:
    return location_of(home).path.read_bytes()


def test_a_message_is_delivered_behind_its_from_line(tmp_path: Path) -> None:
    mailbox = mailbox_in(tmp_path)
    first = mailbox.deliver([b"Subject: a\r\n\r", b"\na\r\n"], ENVELOPE)
    second = mailbox.deliver([MESSAGE], ENVELOPE)
    assert content(tmp_path) == mbox_of(MESSAGE, MESSAGE)
    assert (first.place, second.place) == ("0", str(len(FROM + MESSAGE) + 1))
    assert first.wire_octets == second.wire_octets == len(MESSAGE) + 3


def test_a_new_mbox_is_its_owners_alone(tmp_path: Path) -> None:
    mailbox_in(tmp_path).deliver([MESSAGE], ENVELOPE)
    assert location_of(tmp_path).path.stat().st_mode & 0o777 == 0o600


def test_a_long_message_waits_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox_module, "_MEMORY_OCTETS", 5)
    mailbox_in(tmp_path).deliver([MESSAGE, b"more\n"], ENVELOPE)
    assert content(tmp_path) == mbox_of(MESSAGE + b"more\n")
    assert list((tmp_path / ".mailspool").iterdir()) == []


def test_the_mbox_is_not_locked_while_the_message_comes_in(tmp_path: Path) -> None:
    mailbox = mailbox_in(tmp_path)

    def slow_message() -> Iterator[bytes]:
        yield b"Subject: slow\n"
        mailbox.deliver([MESSAGE], ENVELOPE)
        yield b"\n"

    mailbox.deliver(slow_message(), ENVELOPE)
    assert content(tmp_path) == mbox_of(MESSAGE, b"Subject: slow\n\n")


def test_a_message_that_fails_to_come_in_leaves_no_trace(tmp_path: Path) -> None:
    mailbox = mailbox_in(tmp_path, mbox_of(MESSAGE))

    def broken_message() -> Iterator[bytes]:
        yield b"Subject: broken\n"
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        mailbox.deliver(broken_message(), ENVELOPE)
    assert content(tmp_path) == mbox_of(MESSAGE)


def test_a_full_disk_is_told_from_other_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox = mailbox_in(tmp_path, mbox_of(MESSAGE))

    def full(_descriptor: int, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "write_all", full)
    with pytest.raises(StorageFullError):
        mailbox.deliver([MESSAGE], ENVELOPE)
    assert content(tmp_path) == mbox_of(MESSAGE)


def test_a_disk_that_is_full_before_the_mbox_is_locked_is_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limited(*_arguments: object, **_names: object) -> IO[bytes]:
        return Path("/dev/full").open("r+b")

    mailbox = mailbox_in(tmp_path, mbox_of(MESSAGE))
    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", limited)
    with pytest.raises(StorageFullError):
        mailbox.deliver([MESSAGE], ENVELOPE)
    assert content(tmp_path) == mbox_of(MESSAGE)


def test_an_mbox_whose_directory_moves_away_is_not_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    mailbox = mailbox_in(tmp_path / "home", mbox_of(MESSAGE))

    class MovingLock(SessionLock):
        def __init__(self, location: MailboxLocation) -> None:
            super().__init__(location)
            location.home.rename(tmp_path / "moved")

    monkeypatch.setattr(mailbox_module, "SessionLock", MovingLock)
    with pytest.raises(MailboxUnavailableError):
        mailbox.open_maildrop()


@pytest.mark.parametrize("plant", [os.mkfifo, os.mkdir, Path.touch, lambda path: path.symlink_to("/etc/passwd")])
def test_whatever_is_planted_as_the_journal_is_temporary_trouble(tmp_path: Path, plant: Callable[[Path], None]) -> None:
    mailbox = mailbox_in(tmp_path, mbox_of(MESSAGE))
    mailbox.open_maildrop().close()
    plant(journal_path(location_of(tmp_path)))
    with pytest.raises(MailboxUnavailableError):
        mailbox.deliver([MESSAGE], ENVELOPE)
    assert content(tmp_path) == mbox_of(MESSAGE)


def test_a_link_planted_as_the_mbox_is_not_followed(tmp_path: Path) -> None:
    mailbox = mailbox_in(tmp_path)
    victim = tmp_path / "victim"
    victim.write_bytes(b"")
    location_of(tmp_path).path.symlink_to(victim)
    with pytest.raises(MailboxUnavailableError):
        mailbox.deliver([MESSAGE], ENVELOPE)
    with pytest.raises(MailboxUnavailableError):
        mailbox.open_maildrop()
    assert victim.read_bytes() == b""


def test_a_missing_mbox_is_empty_and_stays_missing(tmp_path: Path) -> None:
    maildrop = mailbox_in(tmp_path).open_maildrop()
    assert (len(maildrop.wire_octets), len(maildrop.unique_ids), maildrop.last_accessed) == (0, 0, 0)
    with pytest.raises(IndexError):
        maildrop.open_message(1)
    maildrop.commit(deleted=set(), retrieved=set())
    maildrop.close()
    assert not location_of(tmp_path).path.exists()


def test_an_mbox_that_was_found_and_is_gone_was_moved_and_is_not_made_anew(tmp_path: Path) -> None:
    mailbox = mailbox_in(tmp_path)
    mailbox.location = replace(mailbox.location, found=True)
    with pytest.raises(MailboxUnavailableError):
        mailbox.deliver([MESSAGE], ENVELOPE)
    with pytest.raises(MailboxUnavailableError):
        mailbox.open_maildrop()
    assert not mailbox.location.path.exists()


def test_a_second_session_is_refused_until_the_first_is_closed(tmp_path: Path) -> None:
    mailbox = mailbox_in(tmp_path, mbox_of(MESSAGE))
    first = mailbox.open_maildrop()
    with pytest.raises(MailboxBusyError):
        mailbox.open_maildrop()
    first.close()
    first.close()
    mailbox.open_maildrop().close()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("trouble", ["no mbox", "bad unique-ids"])
def test_trouble_in_opening_leaves_nothing_locked_or_open(tmp_path: Path, trouble: str, share: bool) -> None:
    mailbox = mailbox_in(tmp_path, mbox_of(MESSAGE))
    holder = mailbox.open_maildrop() if share else None
    if trouble == "no mbox":
        location_of(tmp_path).path.write_bytes(b"something else\n")
    else:
        mailbox.open_maildrop(share=True).close()
        state_file(location_of(tmp_path), ".uids").write_bytes(b"something else\n")
    before = open_descriptors()
    with pytest.raises(MailboxUnavailableError):
        mailbox.open_maildrop(share=share)
    assert open_descriptors() == before
    if holder is not None:
        holder.close()
    location_of(tmp_path).path.write_bytes(mbox_of(MESSAGE))
    state_file(location_of(tmp_path), ".uids").unlink(missing_ok=True)
    mailbox.open_maildrop().close()


def test_another_programs_lock_makes_it_busy(tmp_path: Path) -> None:
    mailbox = mailbox_in(tmp_path, mbox_of(MESSAGE))
    maildrop = mailbox.open_maildrop()
    lock = tmp_path / "Mailbox.lock"
    lock.write_text(str(os.getpid()))
    with pytest.raises(MailboxBusyError):
        mailbox.deliver([MESSAGE], ENVELOPE)
    with pytest.raises(MailboxBusyError):
        maildrop.commit(deleted={1}, retrieved=set())
    maildrop.close()
    with pytest.raises(MailboxBusyError):
        mailbox.open_maildrop()
    assert content(tmp_path) == mbox_of(MESSAGE)


class Crash(BaseException):
    """The process ends."""


@pytest.mark.parametrize("next_step", ["delivery", "session"])
def test_the_next_delivery_or_session_completes_an_interrupted_removal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, next_step: str
) -> None:
    mailbox = mailbox_in(tmp_path, mbox_of(MESSAGE, b"kept\n"))
    maildrop = mailbox.open_maildrop()

    def crash(_descriptor: int, _octets: int) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(durable, "truncate", crash)
        with pytest.raises(Crash):
            maildrop.commit(deleted={1}, retrieved=set())
    maildrop.close()
    assert journal_path(location_of(tmp_path)).exists()
    if next_step == "delivery":
        mailbox.deliver([MESSAGE], ENVELOPE)
        assert content(tmp_path) == mbox_of(b"kept\n", MESSAGE)
    else:
        maildrop = mailbox.open_maildrop()
        assert len(maildrop.unique_ids) == 1
        maildrop.close()
        assert content(tmp_path) == mbox_of(b"kept\n")
    assert not journal_path(location_of(tmp_path)).exists()
