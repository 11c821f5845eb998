"""What an unfinished rehash means for one user's mail: where else it lies, and whether it may be deleted."""

from __future__ import annotations

from pathlib import Path

from spool.errors import RosterError
from spool.names import UserName
from spool.rehash.copier import kept_home
from spool.rehash.journal import Journal


def kept_homes(maintenance: Path, user: UserName) -> tuple[Path, ...]:
    """Say where a rehash keeps an old home of the user, of which a copy is in use.

    Args:
        maintenance: the directory of ``spool.maintenance``, whose lock is held.
        user: whose.

    Raises:
        RosterError: the user is in a batch that was begun and not published: the home is at the old place or at the
            new one, and a link to it at the other.
        MailboxUnavailableError: the journal cannot be read.
    """
    journal = Journal.load(maintenance)
    if journal is None:
        return ()
    if journal.open is not None and any(move.user == user for move in journal.open.moves):
        raise RosterError(f"{user}: is being moved by a rehash that was stopped; let spool-rehash finish it first")
    kept = journal.kept.get(user)
    return () if kept is None else (kept_home(kept.move),)
