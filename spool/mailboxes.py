"""Opens a mailbox of whichever kind it is."""

from __future__ import annotations

from spool.kept_snapshots import KEEPS_NOTHING, KeptSnapshots
from spool.mailbox import Mailbox, MailboxKind, MailboxLocation
from spool.maildir import MaildirMailbox
from spool.mbox.mailbox import MboxMailbox
from spool.quota.limits import Limit
from spool.quota.mailbox import QuotaMailbox
from spool.quota.usage import MaildirUsage, MboxUsage, UsageKeeper
from spool.settings import SpoolSettings


def open_mailbox(
    location: MailboxLocation,
    settings: SpoolSettings,
    *,
    kept: KeptSnapshots = KEEPS_NOTHING,
    limit: Limit | None = None,
) -> Mailbox:
    """Return the mailbox at a location; touches no file yet.

    Args:
        location: of the mailbox.
        settings: of the spool.
        kept: what this process remembers of mailboxes; sessions look into it and add to it.
        limit: what the mailbox may hold (``spool.quota.table.Limits``); without one nothing is counted.
    """
    mailbox: Mailbox
    if location.kind is MailboxKind.MAILDIR:
        mailbox = MaildirMailbox(location, kept=kept)
    else:
        mailbox = MboxMailbox(location, settings, kept=kept)
    if limit is None:
        return mailbox
    return QuotaMailbox(mailbox, limit, usage_keeper(location, settings, limit), full=settings.quota_full)


def usage_keeper(location: MailboxLocation, settings: SpoolSettings, limit: Limit) -> UsageKeeper:
    """Return what keeps the figure of how much a mailbox with a limit holds; touches no file yet."""
    if location.kind is MailboxKind.MAILDIR:
        return MaildirUsage(location, limit)
    return MboxUsage(MboxMailbox(location, settings), limit)
