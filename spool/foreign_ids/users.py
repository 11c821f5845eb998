"""Taking over the old server's ids for the users of a site, one mailbox after the other.

It works on a live site. The session lock is held while a mailbox is looked at and its ids are written, not while the
old server is asked; a mailbox that somebody reads is put off. Deliveries go on.

Ids are taken over once: then the mailbox has a note of it (``.ids-from`` in the state directory), and is left alone
from then on. A formula would tell an id also for mail that came since and that clients know by ours.
"""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from spool import durable
from spool.assign import AssignRecord
from spool.errors import MailboxBusyError, SpoolError
from spool.foreign_ids.assigning import Conflict, plan
from spool.foreign_ids.old_mailbox import IdFinder, opened
from spool.foreign_ids.sources import IdSource
from spool.mailbox import MailboxLocation
from spool.mailboxes import open_mailbox
from spool.maintenance import maintenance
from spool.names import DomainName, UserName
from spool.progress import Progress, counted
from spool.session_lock import SessionLock
from spool.site_mailboxes import SiteMailboxes
from spool.state import state_file
from spool.unique_ids import UniqueIdFile

NOTE_SUFFIX: Final = ".ids-from"


class Outcome(enum.Enum):
    """What came of one user's mailbox."""

    DONE = "done"
    DONE_BEFORE = "done before"
    BUSY = "busy"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class UserReport:
    """One user's mailbox.

    Attributes:
        user: whose.
        outcome: what came of it.
        messages: how many it has.
        new: how many of them got the old server's id now, or would.
        kept: how many had it already.
        unmatched: how many the source knows no id of; they keep ours.
        conflicts: whose old id cannot be taken over; they keep ours.
        trouble: why it was put off or failed.
    """

    user: UserName
    outcome: Outcome
    messages: int = 0
    new: int = 0
    kept: int = 0
    unmatched: int = 0
    conflicts: tuple[Conflict, ...] = ()
    trouble: str | None = None

    @property
    def needs_person(self) -> bool:
        """Whether somebody must look at it: it failed, ids conflict, or a source that should know ids knows none."""
        return self.outcome is Outcome.FAILED or bool(self.conflicts) or 0 < self.messages == self.unmatched


@dataclass(frozen=True, slots=True)
class Report:
    """What came of all, in the order in which they were done. ``dry_run``: nothing was changed."""

    source: str
    dry_run: bool
    users: tuple[UserReport, ...]


@dataclass(frozen=True, slots=True)
class ListedMessage:
    """A message as ``spool-uidl list`` shows it."""

    number: int
    wire_octets: int
    unique_id: str


def list_ids(mailboxes: SiteMailboxes, user: UserName) -> Sequence[ListedMessage]:
    """Tell number, size and unique-id of each message of a user, as a session would see them.

    Raises:
        NoSuchUserError: there is no such user.
        SpoolError: the mailbox cannot be opened now.
    """
    with mailboxes.mailbox_of(user, mailboxes.chosen([user])[user]) as location:
        maildrop = open_mailbox(location, mailboxes.settings).open_maildrop(share=True)
        try:
            columns = zip(maildrop.wire_octets, maildrop.unique_ids, strict=True)
            return [ListedMessage(number, octets, unique_id) for number, (octets, unique_id) in enumerate(columns, 1)]
        finally:
            maildrop.close()


def import_ids(
    mailboxes: SiteMailboxes,
    source: IdSource,
    *,
    users: Collection[UserName] = (),
    domain: DomainName | None = None,
    dry_run: bool = False,
    again: bool = False,
    progress: Progress,
) -> Report:
    """Take over the ids of a source.

    For each user it holds once their turn is over. A crash before that may leave a part of one user's ids taken over;
    running it again completes them, and passes over those who are done.

    Args:
        mailboxes: of the site.
        source: of the ids.
        users: whose; none for all of the site.
        domain: only of users who belong to it.
        dry_run: report, and change nothing. Mailboxes are opened as by a session, which notes ids of equal messages.
        again: also where it has been done before.
        progress: told of each user.

    Raises:
        NoSuchUserError: one of ``users`` is none.
        SpoolError: the users cannot be read.
    """
    records = mailboxes.chosen(users, domain=domain)
    work = _Import(mailboxes, source, dry_run=dry_run, again=again)
    with contextlib.nullcontext() if dry_run else maintenance(mailboxes.site):
        turns = counted(records.items(), progress, "mailboxes", len(records))
        return Report(source.name, dry_run, tuple(work.of(user, record) for user, record in turns))


@dataclass(frozen=True, slots=True)
class _Import:
    mailboxes: SiteMailboxes
    source: IdSource
    dry_run: bool
    again: bool

    def of(self, user: UserName, record: AssignRecord) -> UserReport:
        try:
            with self.mailboxes.mailbox_of(user, record) as location:
                if not self.again and _has_note(location):
                    return UserReport(user, Outcome.DONE_BEFORE)
            find = self.source.finder(user)
            with self.mailboxes.mailbox_of(user, record) as location:
                return self._of_mailbox(location, find)
        except MailboxBusyError as error:
            return UserReport(user, Outcome.BUSY, trouble=str(error))
        except SpoolError as error:
            return UserReport(user, Outcome.FAILED, trouble=str(error))
        except Exception as error:  # a bug that one mailbox brings out is no reason to leave the others
            return UserReport(user, Outcome.FAILED, trouble=f"unforeseen trouble: {type(error).__name__}")

    def _of_mailbox(self, location: MailboxLocation, find: IdFinder) -> UserReport:
        lock = SessionLock(location)
        try:
            with opened(location, self.mailboxes.settings) as mailbox:
                found = find(mailbox)
            keys = [message.key for message in mailbox.messages]
            unique_ids = UniqueIdFile(location)
            planned = plan(keys, unique_ids.assign(keys), found)
            if not self.dry_run:
                if planned.ids_by_key:
                    unique_ids.import_ids(planned.ids_by_key)
                if planned.new + planned.kept:
                    _make_note(location, self.source.name)
        finally:
            lock.release()
        return UserReport(
            user=location.user,
            outcome=Outcome.DONE,
            messages=len(keys),
            new=planned.new,
            kept=planned.kept,
            unmatched=planned.unmatched,
            conflicts=planned.conflicts,
        )


def _has_note(location: MailboxLocation) -> bool:
    note = state_file(location, NOTE_SUFFIX)
    with durable.storage_errors(note):
        return note.exists()


def _make_note(location: MailboxLocation, source: str) -> None:
    """Note that ids were taken over. Holds when it returns; without it the same ids would be taken over once more."""
    note = state_file(location, NOTE_SUFFIX)
    with durable.storage_errors(note):
        durable.replace_file(note, [f"{source}\n".encode("ascii")])
