"""Maildir: one file a message, in the directories ``tmp``, ``new`` and ``cur``; no lock needed to deliver."""

from spool.maildir.mailbox import MaildirMailbox

__all__ = ["MaildirMailbox"]
