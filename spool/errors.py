"""What the spool raises on purpose.

An error knows whether it is permanent; only the edge knows its dialect (``-ERR [IN-USE]``, ``450 4.2.0``, exit 111).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EnhancedStatus:
    """An enhanced mail system status code (RFC 3463): class 2, 4 or 5, subject, detail."""

    class_: int
    subject: int
    detail: int

    @property
    def permanent(self) -> bool:
        """Whether trying again is of no use (class 5)."""
        return self.class_ == 5

    def __str__(self) -> str:
        return f"{self.class_}.{self.subject}.{self.detail}"


class SpoolError(Exception):
    """Root of what the spool raises on purpose.

    ``status`` and ``public_text`` go to the peer, so neither names a path, a uid or an errno;
    the exception's own message is for the log and may. A class has both; where a program or another server has said
    something better, so has the instance.
    """

    status: EnhancedStatus = EnhancedStatus(4, 3, 0)
    public_text: str = "mail system error"


class SettingsError(SpoolError):
    """A settings or control file is missing or wrong; the message names file, line or key, expected and found."""

    status = EnhancedStatus(4, 3, 5)
    public_text = "mail system incorrectly configured"


class RosterError(SpoolError):
    """A user cannot be added or removed like that; the message says why, to the operator."""


class MaintenanceBusyError(SpoolError):
    """Another maintenance program works on the site; the same command may be run again later."""


class ForeignIdsError(SpoolError):
    """The unique-ids of another server cannot be told: a list is missing or is none, the server does not answer."""


class MalformedNameError(SpoolError):
    """A name that cannot be a user, a domain or a local part here."""

    status = EnhancedStatus(5, 1, 3)
    public_text = "malformed address"


class NoSuchUserError(SpoolError):
    """The directory was read whole and does not know the name."""

    status = EnhancedStatus(5, 1, 1)
    public_text = "no such user"


class DirectoryUnavailableError(SpoolError):
    """``assign.cdb`` is missing, torn or foreign: temporary, never "no such user"."""

    status = EnhancedStatus(4, 3, 0)
    public_text = "directory of users not available"


class HomeUnavailableError(SpoolError):
    """A home is missing, not its user's, or on an absent mount: temporary, never "no mail"."""

    status = EnhancedStatus(4, 2, 0)
    public_text = "mail home not available"


class MailboxBusyError(SpoolError):
    """Another session, or another program's lock, holds the mailbox."""

    status = EnhancedStatus(4, 2, 0)
    public_text = "mailbox in use"


class MailboxChangedError(SpoolError):
    """Another program rewrote the mailbox during the session; nothing more is read from it or deleted in it."""

    status = EnhancedStatus(4, 2, 0)
    public_text = "mailbox was changed by another program"


class MailboxUnavailableError(SpoolError):
    """The mailbox cannot be read or written: an I/O error, rights, not a mailbox."""

    status = EnhancedStatus(4, 2, 0)
    public_text = "mailbox not available"


class QuotaExceededError(SpoolError):
    """With this message the mailbox would hold more than it may; there may be room later."""

    status = EnhancedStatus(4, 2, 2)
    public_text = "mailbox full"


class QuotaExceededForGoodError(QuotaExceededError):
    """The same, where the site wants such mail to go back to its sender (``quota_full = "permanent"``)."""

    status = EnhancedStatus(5, 2, 2)


class StorageFullError(SpoolError):
    """No space left on the device (ENOSPC)."""

    status = EnhancedStatus(4, 3, 1)
    public_text = "mail system storage full"


class DiskQuotaError(StorageFullError):
    """The file system lets this user store no more (EDQUOT): the mailbox is full, the mail system is not."""

    status = EnhancedStatus(4, 2, 2)
    public_text = "mailbox full"
