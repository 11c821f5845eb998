"""Which accounts of a source are taken: lists of names, and a look at the homes."""

from __future__ import annotations

import enum
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass

from spool.directory_sources.accounts import Account, Skipped, SkipReason, skipped, text
from spool.errors import RosterError


class HomeCheck(enum.Enum):
    """What is asked of the homes that the source names; of an account without one, nothing."""

    OWNED = "owned"
    """Accounts whose home is missing, or not theirs, are skipped (qmail-pw2u -o)."""
    PRESENT = "present"
    """A missing home stops everything; accounts whose home is not theirs are skipped (qmail-pw2u -h)."""
    ANY = "any"
    """Nothing is looked at (qmail-pw2u -H)."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Whom to take. ``include`` is None for everybody; nobody with a uid below ``uid_min`` is taken."""

    include: frozenset[bytes] | None = None
    exclude: frozenset[bytes] = frozenset()
    home_check: HomeCheck = HomeCheck.ANY
    uid_min: int = 0


def selected(
    entries: Iterable[Account | Skipped], selection: Selection
) -> tuple[dict[bytes, Account], tuple[Skipped, ...]]:
    """Read all entries of a source, and take the accounts that pass, in their order, each once.

    An account named again with the same values is taken once, and is in the domains of all its entries.

    Returns:
        The accounts, and what was skipped.

    Raises:
        RosterError: a home cannot be looked at, or is missing and must not be.
        SettingsError: the source is not in its form.
    """
    taken: dict[bytes, Account] = {}
    left: list[Skipped] = []
    everybody = selection == Selection()
    for entry in entries:
        if isinstance(entry, Skipped):
            left.append(entry)
            continue
        earlier = taken.get(entry.name)
        if earlier is not None and earlier[2:5] == entry[2:5]:
            taken[entry.name] = earlier._replace(domains=tuple(dict.fromkeys(earlier.domains + entry.domains)))
            continue
        if earlier is not None:
            reason: SkipReason | None = SkipReason.REPEATED
        else:
            reason = None if everybody else _reason(entry, selection)
        if reason is None:
            taken[entry.name] = entry
        else:
            left.append(skipped(entry.line, entry.name, reason))
    return taken, tuple(left)


def _reason(account: Account, selection: Selection) -> SkipReason | None:
    """Say why an account is not taken; None if it is."""
    name = account.name
    if selection.include is not None and name not in selection.include:
        return SkipReason.NOT_INCLUDED
    if name in selection.exclude:
        return SkipReason.EXCLUDED
    if account.uid is not None and int(account.uid) < selection.uid_min:
        return SkipReason.SYSTEM
    if account.home is None or selection.home_check is HomeCheck.ANY:
        return None
    try:
        # Of the home itself: mailboxes are not looked for through a link.
        status = os.lstat(account.home)
    except FileNotFoundError as error:
        if selection.home_check is HomeCheck.PRESENT:
            raise RosterError(
                f"{text(account.home)}: the home of {text(name)} is missing; nothing was changed"
            ) from error
        return SkipReason.HOME_MISSING
    except OSError as error:
        # A file system that does not answer must not make users vanish.
        raise RosterError(f"{text(account.home)}: {error.strerror}; nothing was changed") from error
    if not stat.S_ISDIR(status.st_mode) or (account.uid is not None and status.st_uid != int(account.uid)):
        return SkipReason.HOME_NOT_OWNED
    return None
