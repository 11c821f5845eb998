"""Opens a mailbox of whichever kind it is."""

from __future__ import annotations

from spool.kept_snapshots import KEEPS_NOTHING, KeptSnapshots
from spool.mailbox import Mailbox, MailboxKind, MailboxLocation
from spool.maildir import MaildirMailbox
from spool.mbox import MboxMailbox
from spool.settings import SpoolSettings


def open_mailbox(location: MailboxLocation, settings: SpoolSettings, *, kept: KeptSnapshots = KEEPS_NOTHING) -> Mailbox:
    """Return the mailbox at a location; touches no file yet.

    Args:
        location: of the mailbox.
        settings: of the spool.
        kept: what this process remembers of mailboxes; sessions look into it and add to it.
    """
    if location.kind is MailboxKind.MAILDIR:
        return MaildirMailbox(location, kept=kept)
    return MboxMailbox(location, settings)
