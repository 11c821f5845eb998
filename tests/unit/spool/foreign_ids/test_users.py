"""Tests of spool.foreign_ids.users."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from spool.assign import Assignment, AssignRecord, publish_assign
from spool.errors import ForeignIdsError, MaintenanceBusyError, NoSuchUserError
from spool.foreign_ids.assigning import Reason
from spool.foreign_ids.old_mailbox import FoundIds, IdFinder, OldMailbox
from spool.foreign_ids.users import ListedMessage, Outcome, Report, UserReport, import_ids, list_ids
from spool.homes import STATE_DIRECTORY
from spool.maintenance import maintenance
from spool.names import DomainName, UserName
from spool.progress import NoProgress
from spool.session_lock import SessionLock
from spool.settings import SpoolSettings
from spool.site import Site
from spool.site_mailboxes import SiteMailboxes

A, B = UserName("a"), UserName("b")


class Old:
    """A source that knows an id for each base."""

    name = "old"

    def __init__(self, ids: dict[str, str]) -> None:
        self.ids = ids
        self.trouble: dict[UserName, Exception] = {}

    def finder(self, user: UserName) -> IdFinder:
        if user in self.trouble:
            raise self.trouble[user]
        return self._find

    def _find(self, mailbox: OldMailbox) -> FoundIds:
        return [self.ids.get(message.base or "") for message in mailbox.messages]


@pytest.fixture
def spool(tmp_path: Path) -> SiteMailboxes:
    """Two users of our own uid, with two messages each."""
    site = Site(tmp_path / "site")
    site.control.mkdir(parents=True)
    records = []
    for user in (A, B):
        home = tmp_path / "spool" / user.text
        for part in (STATE_DIRECTORY, "Maildir/tmp", "Maildir/new", "Maildir/cur"):
            (home / part).mkdir(parents=True)
        for number in (1, 2):
            (home / "Maildir" / "new" / f"{number}.{user}").write_bytes(b"Subject: x\n\n")
        records.append(Assignment(user.text, AssignRecord(user.text, os.getuid(), os.getgid(), home)))
    publish_assign(records, site.assign_compiled)
    return SiteMailboxes(site, SpoolSettings(root=tmp_path / "spool"), uid_min=100)


ALL = {"1.a": "a1", "2.a": "a2", "1.b": "b1", "2.b": "b2"}


def run(
    spool: SiteMailboxes, source: Old, *users: UserName, dry_run: bool = False, again: bool = False
) -> Sequence[UserReport]:
    report = import_ids(spool, source, users=users, dry_run=dry_run, again=again, progress=NoProgress())
    assert report == Report("old", dry_run, report.users)
    return report.users


def ids(spool: SiteMailboxes, user: UserName = A) -> list[str]:
    return [message.unique_id for message in list_ids(spool, user)]


def test_all_users_get_their_ids(spool: SiteMailboxes) -> None:
    assert run(spool, Old(ALL)) == (
        UserReport(A, Outcome.DONE, messages=2, new=2),
        UserReport(B, Outcome.DONE, messages=2, new=2),
    )
    assert (ids(spool), ids(spool, B)) == (["a1", "a2"], ["b1", "b2"])


def test_messages_are_listed_as_a_session_sees_them(spool: SiteMailboxes) -> None:
    assert list_ids(spool, A) == [ListedMessage(1, 14, "1.a"), ListedMessage(2, 14, "2.a")]


def test_only_the_users_who_are_named_get_theirs(spool: SiteMailboxes) -> None:
    run(spool, Old(ALL), B)
    assert (ids(spool), ids(spool, B)) == (["1.a", "2.a"], ["b1", "b2"])


def test_a_user_who_is_none_is_an_error(spool: SiteMailboxes) -> None:
    with pytest.raises(NoSuchUserError, match="no user c"):
        run(spool, Old(ALL), UserName("c"))


def test_only_the_users_of_a_domain_get_theirs(spool: SiteMailboxes) -> None:
    spool.site.locals.write_text("example.org\n")
    spool.site.domains.write_text("a:example.net\n")
    report = import_ids(spool, Old(ALL), domain=DomainName("example.org"), progress=NoProgress())
    assert [user.user for user in report.users] == [B]


def test_a_dry_run_changes_nothing(spool: SiteMailboxes) -> None:
    assert run(spool, Old(ALL), A, dry_run=True) == (UserReport(A, Outcome.DONE, messages=2, new=2),)
    assert ids(spool) == ["1.a", "2.a"]
    assert run(spool, Old(ALL), A)[0].new == 2


def test_what_was_done_is_left_alone_unless_it_is_wanted_again(spool: SiteMailboxes) -> None:
    run(spool, Old(ALL), A)
    other = Old({"1.a": "a1", "2.a": "other"})
    assert run(spool, other, A) == (UserReport(A, Outcome.DONE_BEFORE),)
    assert ids(spool) == ["a1", "a2"]
    assert run(spool, other, A, again=True) == (UserReport(A, Outcome.DONE, messages=2, new=1, kept=1),)
    assert ids(spool) == ["a1", "other"]


def test_a_source_that_knew_nothing_is_no_reason_to_stop_asking(spool: SiteMailboxes) -> None:
    nothing = run(spool, Old({}), A)[0]
    assert nothing == UserReport(A, Outcome.DONE, messages=2, unmatched=2)
    assert nothing.needs_person
    assert run(spool, Old(ALL), A)[0].new == 2


def test_ids_that_are_right_already_are_done(spool: SiteMailboxes) -> None:
    assert run(spool, Old({"1.a": "1.a", "2.a": "2.a"}), A) == (UserReport(A, Outcome.DONE, messages=2, kept=2),)
    assert run(spool, Old(ALL), A)[0].outcome is Outcome.DONE_BEFORE


def test_mail_that_came_since_needs_nobody(spool: SiteMailboxes) -> None:
    report = run(spool, Old({"1.a": "a1"}), A)[0]
    assert (report.new, report.unmatched, report.needs_person) == (1, 1, False)


def test_an_empty_mailbox_needs_nobody(spool: SiteMailboxes) -> None:
    for path in (spool.settings.root / "a" / "Maildir" / "new").iterdir():
        path.unlink()
    report = run(spool, Old(ALL), A)[0]
    assert (report, report.needs_person) == (UserReport(A, Outcome.DONE), False)


def test_conflicts_need_somebody(spool: SiteMailboxes) -> None:
    report = run(spool, Old({"1.a": "same", "2.a": "same"}), A)[0]
    assert [conflict.reason for conflict in report.conflicts] == [Reason.GIVEN_TWICE]
    assert report.needs_person
    assert ids(spool) == ["same", "2.a"]


def test_a_mailbox_that_somebody_reads_is_put_off_and_the_others_are_done(spool: SiteMailboxes) -> None:
    with spool.mailbox_of(A, AssignRecord("a", os.getuid(), os.getgid(), spool.settings.root / "a")) as location:
        lock = SessionLock(location)
    try:
        first, second = run(spool, Old(ALL))
    finally:
        lock.release()
    assert (first.outcome, second.outcome, first.needs_person) == (Outcome.BUSY, Outcome.DONE, False)
    assert run(spool, Old(ALL), A)[0].outcome is Outcome.DONE


def test_trouble_with_one_user_is_reported_and_the_others_are_done(spool: SiteMailboxes) -> None:
    source = Old(ALL)
    source.trouble[A] = ForeignIdsError("no list")
    first, second = run(spool, source)
    assert (first, first.needs_person) == (UserReport(A, Outcome.FAILED, trouble="no list"), True)
    assert second.outcome is Outcome.DONE


def test_unforeseen_trouble_is_of_one_user_too(spool: SiteMailboxes) -> None:
    source = Old(ALL)
    source.trouble[A] = KeyError("some header")
    first, second = run(spool, source)
    assert first.trouble == "unforeseen trouble: KeyError"
    assert second.outcome is Outcome.DONE


def test_two_operations_do_not_run_at_once(spool: SiteMailboxes) -> None:
    with maintenance(spool.site), pytest.raises(MaintenanceBusyError):
        run(spool, Old(ALL))
