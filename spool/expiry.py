"""Removing mail by its age, as a session of its owner would: under the session lock, with every promise of UPDATE.

**Age** counts from a message's arrival: the time of a Maildir message's file, the date in an mbox message's From_ line.
What tells no date, or one that makes no sense, does not expire. **Fetched** is a Maildir message with the flag for read
messages, which a session sets when it retrieves one; an mbox has one mark, and every message up to the last that was
read, over POP3 or by a mail reader that says so in its ``Status``, counts as fetched.
"""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from spool.assign import AssignRecord
from spool.errors import MailboxBusyError, MailboxChangedError, SettingsError, SpoolError
from spool.mailbox import Maildrop, MessageFacts
from spool.mailboxes import open_mailbox
from spool.maintenance import maintenance
from spool.names import DomainName, UserName
from spool.progress import Progress, counted
from spool.quota.table import Limits
from spool.site_mailboxes import SiteMailboxes

DAY_SECONDS: Final = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class ExpiryRules:
    """From which age on mail is removed, in days: any mail, and mail that was fetched; None for never.

    Raises:
        SettingsError: neither is given, or one is less than a day.
    """

    days: int | None
    fetched_days: int | None

    def __post_init__(self) -> None:
        if self.days is None and self.fetched_days is None:
            raise SettingsError("no age is given from which mail expires, and [spool] expire_days is not set")
        if self.least_days < 1:
            raise SettingsError(f"expected an age of at least 1 day, found {self.least_days}")

    @property
    def least_days(self) -> int:
        """The least age at which a message may be removed."""
        return min(days for days in (self.days, self.fetched_days) if days is not None)

    def check_promise(self, announced_days: int | None) -> None:
        """See that no mail is removed earlier than EXPIRE says (RFC 2449 section 6.7).

        Args:
            announced_days: what is announced; negative for NEVER, None if nothing is.

        Raises:
            SettingsError: it would be.
        """
        if announced_days is not None and not 0 <= announced_days <= self.least_days:
            announced = "NEVER" if announced_days < 0 else announced_days
            raise SettingsError(
                f"mail of {self.least_days} days would be removed, but users are told EXPIRE {announced}"
            )

    def expires(self, facts: MessageFacts, now: float) -> bool:
        """Whether a message is to be removed; ``now`` in seconds since 1970."""
        if facts.arrived_at is None:
            return False
        age_days = (now - facts.arrived_at) / DAY_SECONDS
        limits = (self.days, self.fetched_days if facts.fetched else None)
        return any(days is not None and age_days >= days for days in limits)


class Outcome(enum.Enum):
    """What came of one user's mailbox."""

    DONE = "done"
    BUSY = "busy"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class UserExpired:
    """One user's mailbox: how many messages, of how many octets, were removed, or would be; or why none were."""

    user: UserName
    outcome: Outcome
    messages: int = 0
    octets: int = 0
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Expired:
    """What came of all, in the order in which they were done. ``dry_run``: nothing was removed."""

    dry_run: bool
    users: tuple[UserExpired, ...]

    def of(self, outcome: Outcome) -> tuple[UserExpired, ...]:
        """Return those with one outcome."""
        return tuple(user for user in self.users if user.outcome is outcome)


def expire_mail(
    mailboxes: SiteMailboxes,
    rules: ExpiryRules,
    users: Collection[UserName] = (),
    *,
    domain: DomainName | None = None,
    now: float,
    dry_run: bool = False,
    progress: Progress,
) -> Expired:
    """Remove what is old enough from the mailboxes of users: the named ones, or all, of all domains or one.

    For each user it holds once their turn is over. A crash before that leaves some of one user's old messages; running
    it again removes them. A mailbox that somebody reads is left for the next run.

    Args:
        mailboxes: of the site.
        rules: what is old enough.
        users: whose; none for all.
        domain: only users who belong to it.
        now: seconds since 1970.
        dry_run: say what would be removed. Mailboxes are opened as by a session, which notes ids of equal messages.
        progress: told of each user.

    Raises:
        MaintenanceBusyError: another operation works on the site.
        NoSuchUserError: one of ``users`` is none.
        SpoolError: the users or their limits cannot be read.
    """
    records = mailboxes.chosen(users, domain=domain)
    work = _Expiry(mailboxes, rules, Limits(mailboxes.site.quotas, mailboxes.settings.quota_limit), now, dry_run)
    with contextlib.nullcontext() if dry_run else maintenance(mailboxes.site):
        done = [work.of(*item) for item in counted(records.items(), progress, "mailboxes", len(records))]
    return Expired(dry_run, tuple(done))


@dataclass(frozen=True, slots=True)
class _Expiry:
    mailboxes: SiteMailboxes
    rules: ExpiryRules
    limits: Limits
    now: float
    dry_run: bool

    def of(self, user: UserName, record: AssignRecord) -> UserExpired:
        try:
            limit = self.limits.of(user)
            with self.mailboxes.mailbox_of(user, record) as location:
                maildrop = open_mailbox(location, self.mailboxes.settings, limit=limit).open_maildrop(
                    share=self.dry_run
                )
                try:
                    return self._of_maildrop(user, maildrop)
                finally:
                    maildrop.close()
        except MailboxBusyError as error:
            return UserExpired(user, Outcome.BUSY, trouble=str(error))
        except SpoolError as error:
            return UserExpired(user, Outcome.FAILED, trouble=str(error))

    def _of_maildrop(self, user: UserName, maildrop: Maildrop) -> UserExpired:
        sizes = {}
        for number in range(1, len(maildrop.unique_ids) + 1):
            with contextlib.suppress(MailboxChangedError):  # gone already; what else it may mean the commit finds out
                facts = maildrop.facts(number)
                if self.rules.expires(facts, self.now):
                    sizes[number] = facts.stored_octets
        if sizes and not self.dry_run:
            maildrop.commit(deleted=sizes.keys(), retrieved=frozenset())
        return UserExpired(user, Outcome.DONE, len(sizes), sum(sizes.values()))
