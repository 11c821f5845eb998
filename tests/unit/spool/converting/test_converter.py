"""Tests of ``spool.converting.converter``: what a conversion promises, over whole mailboxes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spool.converting.converter import convert_mailboxes
from spool.converting.options import Action, Converted, ConvertOptions, Outcome
from spool.errors import MaintenanceBusyError, NoSuchUserError
from spool.mailbox import MailboxKind
from spool.maintenance import maintenance
from spool.names import DomainName, UserName
from spool.progress import NoProgress
from spool.session_lock import SessionLock
from tests.small_site import SmallSite

PIECES = (
    b"From sender@example.org Thu Jan  1 00:00:00 2015\n",
    b">From quoted\n",
    b">>From twice\n",
    b"From \n",
    b"\n",
    b"\r\n",
    b"\r",
    b"\0\0",
    b"Subject: x\n",
    b" folded\n",
    b"\xe6\x97\xa5\xff",
    b"text",
    b"Lines: 3\n",
    b"..\n",
    b"x" * 1500,
)
NASTY = [b"", b"", b" folded\n", b"\n", b"\0", b"\r\n\r\n"]
MESSAGES = st.lists(st.lists(st.sampled_from(PIECES), max_size=6).map(b"".join), max_size=6)


def convert(site: SmallSite, action: Action, *names: str, domain: str | None = None) -> Converted:
    users = tuple(map(UserName, names)) or None
    options = ConvertOptions(action, users, DomainName(domain) if domain else None)
    return convert_mailboxes(site.site, site.settings, options, NoProgress(), uid_min=0)


def other(kind: MailboxKind) -> Action:
    return Action.TO_MBOX if kind is MailboxKind.MAILDIR else Action.TO_MAILDIR


@given(
    kind=st.sampled_from(MailboxKind),
    messages=MESSAGES,
    read=st.sets(st.integers(1, 6)),
    deleted=st.sets(st.integers(1, 6), max_size=2),
)
@example(kind=MailboxKind.MAILDIR, messages=NASTY, read={1, 2, 3, 4, 5}, deleted=set())
@example(kind=MailboxKind.MBOX, messages=NASTY, read={1, 2, 3, 4, 5}, deleted=set())
@settings(max_examples=30, deadline=None)
def test_there_and_back_octets_sizes_ids_order_and_the_read_mark_are_the_same(
    kind: MailboxKind, messages: list[bytes], read: set[int], deleted: set[int]
) -> None:
    with tempfile.TemporaryDirectory() as directory, mock.patch("os.fsync"):  # which costs the most
        site = SmallSite(Path(directory)).make().add("ann", kind)
        site.deliver("ann", *messages)
        present = set(range(1, len(messages) + 1))
        site.session("ann", deleted=deleted & present, retrieved=read & present)
        before, last = site.messages("ann"), site.last_accessed("ann")
        for action in (other(kind), Action.UNDO):
            [converted] = convert(site, action).users
            assert (converted.outcome, converted.messages, converted.altered) == (Outcome.DONE, len(before), 0)
            assert site.messages("ann") == before
            assert site.last_accessed("ann") == last
        assert site.location("ann").kind is kind


@pytest.fixture
def site(tmp_path: Path) -> SmallSite:
    """A site with a Maildir and an mbox, each with mail."""
    site = SmallSite(tmp_path).make().add("ann", MailboxKind.MAILDIR).add("bob", MailboxKind.MBOX)
    for name in ("ann", "bob"):
        site.deliver(name, b"Subject: one\n\n", b"Subject: two\n\n")
    (tmp_path / "control" / "domains").write_text("bob:example.net\n")
    return site


def test_all_mailboxes_of_the_other_kind_are_converted(site: SmallSite) -> None:
    converted = convert(site, Action.TO_MAILDIR)
    assert [(str(user.user), user.outcome) for user in converted.users] == [
        ("ann", Outcome.NOTHING),
        ("bob", Outcome.DONE),
    ]
    assert {site.location(name).kind for name in ("ann", "bob")} == {MailboxKind.MAILDIR}


def test_only_the_users_asked_for_are_converted(site: SmallSite) -> None:
    assert [str(user.user) for user in convert(site, Action.TO_MBOX, "ann").users] == ["ann"]
    with pytest.raises(NoSuchUserError):
        convert(site, Action.TO_MBOX, "zed")


def test_only_users_of_the_domain_are_converted(site: SmallSite) -> None:
    assert [str(user.user) for user in convert(site, Action.UNDO, domain="example.org").users] == ["ann"]
    assert [str(user.user) for user in convert(site, Action.UNDO, domain="example.net").users] == ["ann", "bob"]


def test_a_mailbox_that_is_being_read_is_put_off_and_the_others_go_on(site: SmallSite) -> None:
    site.add("cid", MailboxKind.MBOX)
    lock = SessionLock(site.location("bob"))
    converted = convert(site, Action.TO_MAILDIR)
    lock.release()
    assert [user.outcome for user in converted.users] == [Outcome.NOTHING, Outcome.BUSY, Outcome.DONE]
    assert [user.user.text for user in converted.of(Outcome.BUSY)] == ["bob"]
    assert site.location("bob").kind is MailboxKind.MBOX


def test_a_dry_run_changes_nothing(site: SmallSite, tmp_path: Path) -> None:
    with maintenance(site.site):
        pass
    before = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}
    options = ConvertOptions(Action.TO_MBOX, dry_run=True)
    converted = convert_mailboxes(site.site, site.settings, options, NoProgress(), uid_min=0)
    assert [(user.outcome, user.kind) for user in converted.users] == [
        (Outcome.DONE, MailboxKind.MBOX),
        (Outcome.NOTHING, MailboxKind.MBOX),
    ]
    assert {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_one_operation_runs_at_a_time(site: SmallSite) -> None:
    with maintenance(site.site), pytest.raises(MaintenanceBusyError):
        convert(site, Action.TO_MBOX)
