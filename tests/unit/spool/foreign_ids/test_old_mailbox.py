"""Tests of spool.foreign_ids.old_mailbox."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from spool.errors import MailboxUnavailableError
from spool.foreign_ids.old_mailbox import Head, OldMailbox, opened
from spool.mailbox import MailboxKind, MailboxLocation
from spool.mailboxes import open_mailbox
from spool.settings import SpoolSettings
from spool.unique_ids import UniqueIdFile
from tests.mailbox_locations import location_in
from tests.unit.spool.foreign_ids.mailboxes import FROM

SETTINGS = SpoolSettings(root=Path("/mail"), mbox_locks=("fcntl",))
A, B = b"Subject: a\nX-UID: 1\n\none\n", b"Subject: b\n\n>From x\n"


@pytest.fixture
def maildir(tmp_path: Path) -> MailboxLocation:
    location = location_in(tmp_path / "home")
    (location.path / "new" / "2.b").write_bytes(B)
    (location.path / "cur" / "1.a,W=77:2,S").write_bytes(A)
    (location.path / "cur" / "no-time").write_bytes(b"")
    return location


@pytest.fixture
def mbox(tmp_path: Path) -> MailboxLocation:
    location = location_in(tmp_path / "home", MailboxKind.MBOX)
    location.path.write_bytes(FROM + A + b"\n" + FROM + B + b"\n")
    return location


def look(location: MailboxLocation, at: Callable[[OldMailbox], object]) -> object:
    with opened(location, SETTINGS) as mailbox:
        return at(mailbox)


@pytest.mark.parametrize("kind", ["maildir", "mbox"])
def test_messages_have_the_order_keys_and_sizes_of_a_session(kind: str, request: pytest.FixtureRequest) -> None:
    location: MailboxLocation = request.getfixturevalue(kind)
    maildrop = open_mailbox(location, SETTINGS).open_maildrop()
    try:
        expected = list(zip(maildrop.unique_ids, maildrop.wire_octets, strict=True))
    finally:
        maildrop.close()
    with opened(location, SETTINGS) as mailbox:
        assert [(message.key, message.wire_octets()) for message in mailbox.messages] == expected
        assert list(UniqueIdFile(location).assign([message.key for message in mailbox.messages])) == [
            unique_id for unique_id, _ in expected
        ]
    assert (mailbox.user, mailbox.path, mailbox.kind) == (location.user, location.path, location.kind)


def test_a_maildirs_messages_have_names_and_headers(maildir: MailboxLocation) -> None:
    with opened(maildir, SETTINGS) as mailbox:
        assert [message.base for message in mailbox.messages] == ["1.a,W=77", "2.b", "no-time"]
        assert [message.head() for message in mailbox.messages][:2] == [
            Head(b"", b"Subject: a\nX-UID: 1\n"),
            Head(b"", b"Subject: b\n"),
        ]
        assert mailbox.first_header == b""


def test_what_is_gone_from_a_maildir_has_no_header_and_no_size(maildir: MailboxLocation) -> None:
    with opened(maildir, SETTINGS) as mailbox:
        (maildir.path / "new" / "2.b").unlink()
        assert (mailbox.messages[1].head(), mailbox.messages[1].wire_octets()) == (Head(b"", None), 0)


def test_what_goes_while_a_maildir_is_looked_at_is_left_out(
    maildir: MailboxLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr("spool.maildir.directories.MessageDirectories.stat", gone)
    with opened(maildir, SETTINGS) as mailbox:
        assert [message.base for message in mailbox.messages] == ["1.a,W=77", "2.b"]


def test_an_mboxs_messages_have_from_lines_and_headers(mbox: MailboxLocation) -> None:
    with opened(mbox, SETTINGS) as mailbox:
        assert [message.head() for message in mailbox.messages] == [
            Head(FROM, b"Subject: a\nX-UID: 1\n"),
            Head(FROM, b"Subject: b\n"),
        ]
        assert mailbox.first_header == b"Subject: a\nX-UID: 1\n"
        assert {message.base for message in mailbox.messages} == {None}


def test_the_message_of_an_imap_server_is_none_but_its_header_is_known(mbox: MailboxLocation) -> None:
    state = b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 5 2\n"
    mbox.path.write_bytes(FROM + state + b"\nx\n\n" + mbox.path.read_bytes())
    with opened(mbox, SETTINGS) as mailbox:
        assert (len(mailbox.messages), mailbox.first_header) == (2, state)


@pytest.mark.parametrize("content", [b"", b"\n\n", None])
def test_an_mbox_may_be_empty_or_missing(mbox: MailboxLocation, content: bytes | None) -> None:
    mbox.path.unlink() if content is None else mbox.path.write_bytes(content)
    with opened(mbox, SETTINGS) as mailbox:
        assert (list(mailbox.messages), mailbox.first_header) == ([], b"")


def test_an_mbox_that_is_none_is_an_error(mbox: MailboxLocation) -> None:
    mbox.path.write_bytes(b"no mbox\n")
    with pytest.raises(MailboxUnavailableError), opened(mbox, SETTINGS):
        pass
