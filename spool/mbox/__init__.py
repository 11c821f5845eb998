"""The mbox format: all mail of a user in one file, shared with any program that knows the format and its locks."""

from spool.mbox.mailbox import MboxMailbox

__all__ = ["MboxMailbox"]
