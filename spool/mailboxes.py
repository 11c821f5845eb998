"""Opens a mailbox of whichever kind it is."""

from __future__ import annotations

from spool.mailbox import Mailbox, MailboxKind, MailboxLocation
from spool.maildir import MaildirMailbox
from spool.mbox import MboxMailbox
from spool.settings import SpoolSettings


def open_mailbox(location: MailboxLocation, settings: SpoolSettings) -> Mailbox:
    """Return the mailbox at a location; touches no file yet."""
    if location.kind is MailboxKind.MAILDIR:
        return MaildirMailbox(location)
    return MboxMailbox(location, settings)
