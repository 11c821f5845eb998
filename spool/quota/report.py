"""What the users of a site have, and what they may have."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from spool.assign import AssignRecord
from spool.durable import storage_errors
from spool.errors import MailboxBusyError, SpoolError
from spool.mailbox import MailboxKind, MailboxLocation
from spool.mailboxes import usage_keeper
from spool.names import DomainName, UserName
from spool.progress import Progress, counted
from spool.quota.limits import Limit
from spool.quota.maildir_size import count_maildir
from spool.quota.table import Limits
from spool.site_mailboxes import SiteMailboxes


@dataclass(frozen=True, slots=True)
class UserQuota:
    """One user's mailbox.

    Attributes:
        user: whose.
        octets: what it holds; None if that is not known.
        messages: how many; None also for an mbox of a user whose number of messages is not limited.
        octets_max: the limit, None if there is none.
        messages_max: the limit, None if there is none.
        share: how much of the limit is used, 1 for all; None without one.
        busy: it is not known because other programs hold the mailbox.
        trouble: why it is not known.
    """

    user: UserName
    octets: int | None = None
    messages: int | None = None
    octets_max: int | None = None
    messages_max: int | None = None
    share: float | None = None
    busy: bool = False
    trouble: str | None = None


def report_quotas(
    mailboxes: SiteMailboxes,
    users: Collection[UserName] = (),
    *,
    domain: DomainName | None = None,
    recalculate: bool = False,
    progress: Progress,
) -> tuple[UserQuota, ...]:
    """Tell what users have and may have: the named ones, or all, of all domains or one.

    Args:
        mailboxes: of the site.
        users: whose; none for all.
        domain: only users who belong to it.
        recalculate: count what there is, and keep the figure, instead of believing the one that is kept.
        progress: told of each user.

    Raises:
        NoSuchUserError: one of ``users`` is none.
        SpoolError: the users or their limits cannot be read.
    """
    records = mailboxes.chosen(users, domain=domain)
    limits = Limits(mailboxes.site.quotas, mailboxes.settings.quota_limit)
    return tuple(
        _of_user(mailboxes, user, record, limits.of(user), recalculate=recalculate)
        for user, record in counted(records.items(), progress, "mailboxes", len(records))
    )


def _of_user(
    mailboxes: SiteMailboxes, user: UserName, record: AssignRecord, limit: Limit | None, *, recalculate: bool
) -> UserQuota:
    try:
        with mailboxes.mailbox_of(user, record) as location:
            if limit is None:
                return _without_limit(location)
            keeper = usage_keeper(location, mailboxes.settings, limit)
            usage = keeper.count() if recalculate else keeper.look()
    except SpoolError as error:
        return UserQuota(user, busy=isinstance(error, MailboxBusyError), trouble=str(error))
    messages = None if location.kind is MailboxKind.MBOX and limit.messages is None else usage.messages
    share = limit.share(usage.octets, usage.messages)
    return UserQuota(user, usage.octets, messages, limit.octets, limit.messages, share)


def _without_limit(location: MailboxLocation) -> UserQuota:
    with storage_errors(location.path):
        if location.kind is MailboxKind.MAILDIR:
            held = count_maildir(location.path)
            return UserQuota(location.user, held.octets, held.messages)
        return UserQuota(location.user, location.path.stat().st_size if location.found else 0)
