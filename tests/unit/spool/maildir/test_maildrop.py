from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spool.errors import MailboxBusyError, MailboxChangedError, MailboxUnavailableError
from spool.mailbox import MailboxLocation, MessageFacts
from spool.maildir import MaildirMailbox
from spool.maildir.maildrop import MaildirMaildrop
from spool.unique_ids import UniqueIdFile
from tests.mailbox_locations import location_in


@pytest.fixture
def location(tmp_path: Path) -> MailboxLocation:
    return location_in(tmp_path)


@pytest.fixture
def opened(location: MailboxLocation) -> Iterator[Callable[[], MaildirMaildrop]]:
    """Opens the maildrop with its lock; all that were opened are closed in the end."""
    maildrops = []

    def open_it() -> MaildirMaildrop:
        maildrops.append(MaildirMailbox(location).open_maildrop())
        return maildrops[-1]

    yield open_it
    for maildrop in maildrops:
        maildrop.close()


def read(maildrop: MaildirMaildrop, number: int) -> bytes:
    reader = maildrop.open_message(number)
    pieces = list(iter(reader.read, b""))
    reader.close()
    return b"".join(pieces)


def files(location: MailboxLocation) -> list[str]:
    return sorted(str(path.relative_to(location.path)) for path in location.path.glob("*/*"))


def add(location: MailboxLocation, *names: str, content: bytes = b"x\n") -> None:
    for name in names:
        (location.path / name).write_bytes(content)


def refuse(*arguments: object, **names: object) -> int:
    raise OSError(errno.EIO, "Input/output error")


def test_a_message_is_read_in_wire_form(location: MailboxLocation, opened: Callable[[], MaildirMaildrop]) -> None:
    add(location, "new/1.x.host", content=b"a\n.\nb")
    maildrop = opened()
    assert read(maildrop, 1) == b"a\r\n.\r\nb\r\n"
    assert list(maildrop.wire_octets) == [9]


def test_a_reader_says_the_end_again(location: MailboxLocation, opened: Callable[[], MaildirMaildrop]) -> None:
    add(location, "new/1.x.host")
    reader = opened().open_message(1)
    assert [reader.read() for _ in range(4)] == [b"x\r\n", b"", b"", b""]
    reader.close()
    reader.close()
    with pytest.raises(MailboxUnavailableError):
        reader.read()


def test_a_message_that_another_program_moved_is_found_again(
    location: MailboxLocation, opened: Callable[[], MaildirMaildrop]
) -> None:
    add(location, "new/1.x.host")
    maildrop = opened()
    (location.path / "new/1.x.host").rename(location.path / "cur/1.x.host:2,F")
    assert read(maildrop, 1) == b"x\r\n"


def test_a_message_that_is_gone_makes_the_mailbox_changed(
    location: MailboxLocation, opened: Callable[[], MaildirMaildrop]
) -> None:
    add(location, "new/1.x.host")
    maildrop = opened()
    (location.path / "new/1.x.host").unlink()
    for _ in range(2):
        with pytest.raises(MailboxChangedError):
            maildrop.open_message(1)


def test_a_message_that_keeps_moving_is_given_up(
    location: MailboxLocation, opened: Callable[[], MaildirMaildrop], monkeypatch: pytest.MonkeyPatch
) -> None:
    add(location, "new/1.x.host")
    maildrop = opened()
    tries = []

    def miss(base: str, place: object) -> int:
        tries.append(place)
        raise FileNotFoundError

    monkeypatch.setattr("spool.maildir.maildrop.MessageDirectories.open_file", lambda self, *found: miss(*found))
    with pytest.raises(MailboxChangedError):
        maildrop.open_message(1)
    assert len(tries) == 3


def test_there_is_no_message_zero(location: MailboxLocation, opened: Callable[[], MaildirMaildrop]) -> None:
    add(location, "new/1.x.host")
    maildrop = opened()
    with pytest.raises(IndexError):
        maildrop.open_message(0)
    with pytest.raises(IndexError):
        maildrop.commit(deleted={0}, retrieved=set())
    assert files(location) == ["new/1.x.host"]


def test_a_wrong_size_in_a_name_is_corrected_once_the_message_was_sent(
    location: MailboxLocation, opened: Callable[[], MaildirMaildrop]
) -> None:
    add(location, "new/1.x.host,W=77", "new/2.x.host,W=3")
    maildrop = opened()
    assert list(maildrop.wire_octets) == [77, 3]
    read(maildrop, 1)
    read(maildrop, 2)
    maildrop.close()
    assert list(opened().wire_octets) == [3, 3]
    assert files(location) == ["new/1.x.host,W=77", "new/2.x.host,W=3"]


def test_commit_removes_what_is_deleted_and_marks_what_was_read(
    location: MailboxLocation, opened: Callable[[], MaildirMaildrop]
) -> None:
    add(location, "new/1.x", "new/2.x", "new/3.x", "cur/4.x:2,F", "cur/5.x:2,S", "cur/6.x:2,", "new/7.x:2,R")
    opened().commit(deleted={1, 6}, retrieved={1, 2, 4, 5, 7})
    assert files(location) == ["cur/2.x:2,S", "cur/4.x:2,FS", "cur/5.x:2,S", "cur/7.x:2,RS", "new/3.x"]


def test_commit_syncs_each_changed_directory_once(
    location: MailboxLocation, opened: Callable[[], MaildirMaildrop], monkeypatch: pytest.MonkeyPatch
) -> None:
    add(location, "new/1.x", "new/2.x", "new/3.x", "cur/4.x:2,", "cur/5.x:2,S")
    maildrop = opened()
    synced: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synced.append(Path(f"/proc/self/fd/{descriptor}").resolve().name)
    )
    maildrop.commit(deleted=set(), retrieved={5})
    assert synced == []
    maildrop.commit(deleted={1, 2}, retrieved=set())
    assert synced == ["new"]
    maildrop.commit(deleted=set(), retrieved={3, 4})
    assert synced == ["new", "cur", "new"]


def test_commit_finds_moved_messages_and_is_content_with_removed_ones(
    location: MailboxLocation, opened: Callable[[], MaildirMaildrop]
) -> None:
    add(location, "new/1.x", "new/2.x", "new/3.x", "new/4.x")
    maildrop = opened()
    (location.path / "new/1.x").rename(location.path / "cur/1.x:2,S")
    (location.path / "new/2.x").unlink()
    (location.path / "new/3.x").unlink()
    maildrop.commit(deleted={1, 2}, retrieved={3, 4})
    assert files(location) == ["cur/4.x:2,S"]


def test_trouble_with_one_message_does_not_keep_the_others(
    location: MailboxLocation, opened: Callable[[], MaildirMaildrop], monkeypatch: pytest.MonkeyPatch
) -> None:
    add(location, "new/1.x", "new/2.x", "new/3.x")
    maildrop = opened()
    unlink = os.unlink

    def refuse_one(path: str, *, dir_fd: int | None = None) -> None:
        if path == "1.x":
            refuse()
        unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", refuse_one)
    with pytest.raises(MailboxUnavailableError, match=r"1 messages not removed: .*Input/output error"):
        maildrop.commit(deleted={1, 2}, retrieved=set())
    assert files(location) == ["new/1.x", "new/3.x"]


def test_a_message_that_cannot_be_marked_is_no_trouble(
    location: MailboxLocation, opened: Callable[[], MaildirMaildrop]
) -> None:
    longest = "2." + "n" * 253  # no room for ":2,S"
    add(location, "new/1.x", f"new/{longest}")
    opened().commit(deleted={1}, retrieved={2})
    assert files(location) == [f"new/{longest}"]


def test_a_shared_maildrop_refuses_to_commit(location: MailboxLocation, opened: Callable[[], MaildirMaildrop]) -> None:
    add(location, "new/1.x")
    opened()
    maildrop = MaildirMailbox(location).open_maildrop(share=True)
    assert maildrop.read_only
    with pytest.raises(MailboxBusyError):
        maildrop.commit(deleted={1}, retrieved={1})
    assert files(location) == ["new/1.x"]
    maildrop.close()


def test_an_imported_id_is_retired_with_its_message(
    location: MailboxLocation, opened: Callable[[], MaildirMaildrop]
) -> None:
    add(location, "new/1.x", "new/2.x")
    UniqueIdFile(location).import_ids({"1.x": ["old"]})
    opened().commit(deleted={1, 2}, retrieved=set())
    assert (location.state / "maildir.uids").read_bytes().endswith(b"+old 1.x\n-old\n")


def test_an_id_that_cannot_be_retired_is_no_trouble(
    location: MailboxLocation, opened: Callable[[], MaildirMaildrop]
) -> None:
    add(location, "new/1.x")
    UniqueIdFile(location).import_ids({"1.x": ["old"]})
    maildrop = opened()
    (location.state / "maildir.uids").write_bytes(b"foreign\n")
    maildrop.commit(deleted={1}, retrieved=set())
    assert files(location) == []


def test_read_trouble_makes_the_mailbox_unavailable(
    location: MailboxLocation, opened: Callable[[], MaildirMaildrop], monkeypatch: pytest.MonkeyPatch
) -> None:
    add(location, "new/1.x")
    reader = opened().open_message(1)
    with monkeypatch.context() as patched:
        patched.setattr(os, "read", refuse)
        with pytest.raises(MailboxUnavailableError, match="Input/output error"):
            reader.read()
    reader.close()


def test_a_closed_maildrop_is_unavailable_and_frees_the_lock(
    location: MailboxLocation, opened: Callable[[], MaildirMaildrop]
) -> None:
    add(location, "new/1.x")
    maildrop = opened()
    maildrop.close()
    maildrop.close()
    with pytest.raises(MailboxUnavailableError):
        maildrop.open_message(1)
    assert opened().unique_ids == ["1.x"]


def test_the_last_accessed_message_is_the_last_seen_when_the_session_began(
    location: MailboxLocation, opened: Callable[[], MaildirMaildrop]
) -> None:
    add(location, "cur/1.x:2,S", "new/2.x")
    maildrop = opened()
    maildrop.commit(deleted=set(), retrieved={2})
    assert maildrop.last_accessed == 1
    maildrop.close()
    assert opened().last_accessed == 2


def test_what_is_known_of_a_message_is_its_size_its_file_s_time_and_whether_it_was_read(
    location: MailboxLocation, opened: Callable[[], MaildirMaildrop]
) -> None:
    add(location, "cur/1.a:2,FS", "new/2.a", "cur/3.a:2,")
    for number, name in enumerate(("cur/1.a:2,FS", "new/2.a", "cur/3.a:2,"), 1):
        os.utime(location.path / name, (number, number))
    maildrop = opened()
    assert [maildrop.facts(number) for number in (1, 2, 3)] == [
        MessageFacts(2, 1.0, fetched=True),
        MessageFacts(2, 2.0, fetched=False),
        MessageFacts(2, 3.0, fetched=False),
    ]


def test_nothing_is_known_of_what_is_no_message_or_gone(
    location: MailboxLocation, opened: Callable[[], MaildirMaildrop]
) -> None:
    add(location, "new/1.a")
    maildrop = opened()
    for number in (0, 2):
        with pytest.raises(IndexError):
            maildrop.facts(number)
    (location.path / "new/1.a").unlink()
    with pytest.raises(MailboxChangedError):
        maildrop.facts(1)
