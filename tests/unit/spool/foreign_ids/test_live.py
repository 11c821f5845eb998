"""Tests of spool.foreign_ids.live."""

from __future__ import annotations

from pathlib import Path

import pytest

from spool.foreign_ids import old_server
from spool.foreign_ids.credentials import Credentials
from spool.foreign_ids.live import ask
from spool.foreign_ids.old_mailbox import FoundIds, OldMailbox
from spool.names import UserName
from tests.unit.spool.foreign_ids.mailboxes import maildir, message
from tests.unit.spool.foreign_ids.old_servers import LOGGED_IN, Scripted

CREDENTIALS = Credentials(Path("credentials"), "{user}", {"*": "x"})


def mailbox(*messages: tuple[bytes | None, int]) -> OldMailbox:
    made = maildir()
    return OldMailbox(
        made.user,
        made.path,
        made.kind,
        [message(str(number), header, size=size, base="1.a") for number, (header, size) in enumerate(messages)],
        b"",
    )


def find(monkeypatch: pytest.MonkeyPatch, old: list[tuple[bytes, int, bytes]], ours: OldMailbox) -> FoundIds:
    """``old`` are size, id and header on the old server; an id is the answer's own octets."""
    sizes = b"".join(b"%d %d\r\n" % (number, size) for number, (_, size, _) in enumerate(old, 1))
    ids = b"".join(b"%d %b\r\n" % (number, unique_id) for number, (unique_id, _, _) in enumerate(old, 1))
    headers = [b"+OK\r\n%b\r\n.\r\n" % header for _, _, header in old]
    answers = [*LOGGED_IN, b"+OK\r\n%b.\r\n" % sizes, b"+OK\r\n%b.\r\n" % ids, *headers, b"+OK\r\n"]
    return ask(Scripted(monkeypatch, answers).server(), CREDENTIALS, UserName("yasuhi"))(ours)


A, B = b"Subject: a\r\n", b"Subject: b\r\n"


def test_messages_are_paired_by_size_and_header(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = mailbox((B, 100), (A, 100), (A, 90))
    assert find(monkeypatch, [(b"a", 100, A), (b"b", 100, B), (b"a90", 90, A)], ours) == ["b", "a", "a90"]


def test_storage_fields_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    old = [(b"a", 130, b"X-UIDL: a\r\nSubject: a\r\nStatus: RO\r\n")]
    assert find(monkeypatch, old, mailbox((b"Subject: a\nX-UID: 1\n", 100))) == ["a"]


def test_a_pair_by_size_leaves_the_rest_to_the_header(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find(monkeypatch, [(b"1", 100, A), (b"2", 130, A)], mailbox((A, 100), (A, 110))) == ["1", "2"]


def test_what_is_not_certain_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find(monkeypatch, [(b"1", 100, A), (b"2", 100, A)], mailbox((A, 100))) == [None]


def test_mail_that_came_since_has_no_old_id(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find(monkeypatch, [(b"1", 100, A)], mailbox((A, 100), (B, 100))) == ["1", None]


def test_headers_that_are_too_long_are_paired_with_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_server, "HEADER_OCTETS_MAX", 100)
    long_header = b"X: " + b"x" * 100 + b"\r\n"
    assert find(monkeypatch, [(b"1", 100, long_header), (b"2", 100, A)], mailbox((None, 100), (A, 100))) == [None, "2"]
