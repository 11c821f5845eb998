from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from spool.errors import MailboxBusyError, MailboxUnavailableError, StorageFullError
from spool.mailbox import Envelope, MailboxLocation
from spool.maildir import MaildirMailbox
from spool.maildir.names import UniqueNames
from tests.mailbox_locations import location_in

SENDER = Envelope("sender@example.org")


@pytest.fixture
def location(tmp_path: Path) -> MailboxLocation:
    return location_in(tmp_path)


@pytest.fixture
def mailbox(location: MailboxLocation) -> MaildirMailbox:
    return MaildirMailbox(location)


def files(location: MailboxLocation) -> list[str]:
    return sorted(str(path.relative_to(location.path)) for path in location.path.glob("*/*"))


def test_a_message_is_delivered_as_it_is_with_its_sizes_in_the_name(location: MailboxLocation) -> None:
    names = UniqueNames(clock_ns=lambda: 5_000_000_007_000, pid=lambda: 71, random_hex=lambda octets: "ff", host="mx")
    delivered = MaildirMailbox(location, names=names).deliver([b"a\r\nb", b"\nc"], SENDER)
    assert delivered.place == "5000.M7P71Q1Rff.mx,S=6,W=9"
    assert delivered.wire_octets == 9
    assert (location.path / "new" / delivered.place).read_bytes() == b"a\r\nb\nc"
    assert files(location) == [f"new/{delivered.place}"]


def test_a_message_is_for_its_owner_only(mailbox: MaildirMailbox, location: MailboxLocation) -> None:
    place = mailbox.deliver([b"x\n"], SENDER).place
    assert (location.path / "new" / place).stat().st_mode & 0o777 == 0o600


def test_file_then_directory_are_synced(
    mailbox: MaildirMailbox, location: MailboxLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def sync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").resolve()
        synced.append("message" if path.is_file() else path.name)

    monkeypatch.setattr(os, "fsync", sync)
    mailbox.deliver([b"x\n"], SENDER)
    assert synced == ["message", "new"]


@pytest.mark.parametrize("part", ["", "tmp", "new"])
def test_a_missing_directory_is_unavailable_and_not_made(
    mailbox: MaildirMailbox, location: MailboxLocation, part: str
) -> None:
    shutil.rmtree(location.path / part)
    with pytest.raises(MailboxUnavailableError):
        mailbox.deliver([b"x\n"], SENDER)
    assert not (location.path / part).exists()
    assert files(location) == []


@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_a_full_disk_leaves_nothing(
    mailbox: MaildirMailbox, location: MailboxLocation, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **names: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(StorageFullError):
        mailbox.deliver([b"x\n"], SENDER)
    assert files(location) == []


def test_a_directory_that_cannot_be_synced_leaves_nothing(
    mailbox: MaildirMailbox, location: MailboxLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").resolve().is_dir():
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(MailboxUnavailableError):
        mailbox.deliver([b"x\n"], SENDER)
    assert files(location) == []


def test_a_message_that_breaks_off_leaves_nothing(mailbox: MaildirMailbox, location: MailboxLocation) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x\n"
        raise ConnectionResetError

    with pytest.raises(MailboxUnavailableError):
        mailbox.deliver(broken(), SENDER)
    assert files(location) == []


def test_opening_sweeps_what_broken_deliveries_left(location: MailboxLocation) -> None:
    (location.path / "tmp" / "left").touch()
    later_ns = (location.path / "tmp" / "left").stat().st_mtime_ns + 37 * 60 * 60 * 10**9
    MaildirMailbox(location, clock_ns=lambda: later_ns).open_maildrop().close()
    assert files(location) == []


def test_a_missing_tmp_does_not_keep_from_reading(mailbox: MaildirMailbox, location: MailboxLocation) -> None:
    (location.path / "tmp").rmdir()
    mailbox.open_maildrop().close()


def test_a_second_session_is_refused_or_shares(mailbox: MaildirMailbox) -> None:
    mailbox.deliver([b"x\n"], SENDER)
    first = mailbox.open_maildrop()
    with pytest.raises(MailboxBusyError):
        mailbox.open_maildrop()
    second = mailbox.open_maildrop(share=True)
    assert (first.read_only, second.read_only) == (False, True)
    assert second.unique_ids == first.unique_ids
    second.close()
    first.close()
    third = mailbox.open_maildrop(share=True)
    assert not third.read_only
    third.close()


def test_a_maildir_that_cannot_be_opened_is_not_locked(mailbox: MaildirMailbox, location: MailboxLocation) -> None:
    (location.path / "cur").rename(location.path / "away")
    with pytest.raises(MailboxUnavailableError):
        mailbox.open_maildrop()
    (location.path / "away").rename(location.path / "cur")
    mailbox.open_maildrop().close()


def test_an_unreadable_maildir_leaves_nothing_open(mailbox: MaildirMailbox, location: MailboxLocation) -> None:
    location.state.mkdir()
    (location.state / "maildir.uids").write_bytes(b"foreign\n")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(MailboxUnavailableError):
        mailbox.open_maildrop()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
