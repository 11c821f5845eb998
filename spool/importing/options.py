"""What an import shall do, and what it came to."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from spool.foreign_ids.sources import IdSource
from spool.layouts import Layout
from spool.names import DomainName, UserName


class Emptied(enum.Enum):
    """What becomes of an old mbox from which all mail was carried away."""

    KEEP = "keep"
    """It stays, empty, for whoever delivers into it."""
    REMOVE = "remove"
    """Its name goes."""
    LINK = "link"
    """A link to the mbox in the home takes its place."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What shall be imported, and how.

    Attributes:
        old_spool: the directory of the old mboxes.
        layout: where in it a user's mbox lies.
        users: these only; None for all.
        excluded: names of mailboxes, and of other files of the old spool, that are left out.
        domain: only users who belong to it; None for all.
        drops: a directory with qpopper's temporary drops, beside those next to the mboxes.
        emptied: what becomes of emptied mboxes.
        ids: where the messages' unique-ids come from, None if they need not be kept.
        dry_run: say what there is, and change nothing.
    """

    old_spool: Path
    layout: Layout
    users: tuple[UserName, ...] | None = None
    excluded: frozenset[str] = frozenset()
    domain: DomainName | None = None
    drops: Path | None = None
    emptied: Emptied = Emptied.KEEP
    ids: IdSource | None = None
    dry_run: bool = False


class Outcome(enum.Enum):
    """How it went with one user's mail."""

    DONE = "done"
    BUSY = "busy"
    """Another program had it; the next run may find it free."""
    TROUBLE = "trouble"
    """A person must look at it."""


@dataclass(frozen=True, slots=True)
class UserImported:
    """What came of one user's old mail.

    Attributes:
        user: whose.
        mbox: the old mbox.
        outcome: how it went.
        messages: how many were carried; in a dry run, how many there are.
        detail: why not all is well; may name paths.
    """

    user: UserName
    mbox: Path
    outcome: Outcome
    messages: int
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to.

    Attributes:
        users: those who have old mail, or a place for it.
        without_user: old mailboxes whose names are no user's; nobody touched them.
        unknown: what else is in the old spool, and may be somebody's mail in a wrong place; nobody touched it.
    """

    users: tuple[UserImported, ...]
    without_user: tuple[Path, ...]
    unknown: tuple[Path, ...]

    @property
    def messages(self) -> int:
        """How many messages were carried, or are there in a dry run."""
        return sum(user.messages for user in self.users)

    def of(self, outcome: Outcome) -> tuple[UserImported, ...]:
        """Return the users with whom it went like this."""
        return tuple(user for user in self.users if user.outcome is outcome)
