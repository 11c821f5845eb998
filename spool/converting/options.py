"""What a conversion shall do, and what it came to."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from spool.mailbox import MailboxKind
from spool.names import DomainName, UserName

GRACE_SECONDS: Final = 86400.0  # most mail that is on its way arrives within minutes, and a person notices in a day


class Action(enum.Enum):
    """What shall be done with mailboxes."""

    TO_MAILDIR = "maildir"
    TO_MBOX = "mbox"
    UNDO = "undo"
    """Convert back what was converted; mail that came since is kept."""
    DISCARD = "discard"
    """Remove former mailboxes that are kept."""

    @property
    def kind(self) -> MailboxKind | None:
        """The kind to convert to, where the action says it."""
        return {Action.TO_MAILDIR: MailboxKind.MAILDIR, Action.TO_MBOX: MailboxKind.MBOX}.get(self)


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """Which mailboxes, and what shall be done.

    Attributes:
        action: what.
        users: these, or None for all.
        domain: only those of users who belong to it; None for all.
        grace_seconds: former mailboxes are kept at least so long.
        dry_run: say what would be done, and change nothing.
    """

    action: Action
    users: tuple[UserName, ...] | None = None
    domain: DomainName | None = None
    grace_seconds: float = GRACE_SECONDS
    dry_run: bool = False


class Outcome(enum.Enum):
    """How it went with one mailbox."""

    DONE = "done"
    NOTHING = "nothing to do"
    BUSY = "busy"
    """Somebody reads it, or mail is on its way into a former mailbox; the next run may find it free."""
    TROUBLE = "trouble"
    """A person must look at it."""


@dataclass(frozen=True, slots=True)
class UserConverted:
    """What came of one user's mailbox.

    Attributes:
        user: whose.
        outcome: how it went.
        kind: what kind it is now, or would be after a dry run; None if that is not known.
        messages: how many were converted, or would be.
        altered: how many of them POP3 shows with other octets: what an mbox cannot hold was in them.
        late: how many more were taken over from former mailboxes.
        discarded: how many former mailboxes were removed, or would be.
        detail: why not all is well; may name paths.
    """

    user: UserName
    outcome: Outcome
    kind: MailboxKind | None = None
    messages: int = 0
    altered: int = 0
    late: int = 0
    discarded: int = 0
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Converted:
    """What a conversion of mailboxes came to."""

    users: tuple[UserConverted, ...]

    def of(self, outcome: Outcome) -> tuple[UserConverted, ...]:
        """Return the users with whom it went like this."""
        return tuple(user for user in self.users if user.outcome is outcome)
