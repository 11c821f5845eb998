"""Taking over a directory of users: passwd or NIS text, an LDAP export or a list becomes the site's table of users.

The order of steps is the roster's: first the homes, if they are to be made, then the domains, then the text of
assignments, last the database. Wherever it is stopped, the same command does the rest. What is replaced is kept beside
it as ``control/assign.last``.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Final

from spool.assign_replacement import Decision, Owner, Rules, check_dropped, decide, replaced
from spool.directory_sources.accounts import Account, Skipped, octets, text
from spool.directory_sources.lists import Additions
from spool.errors import MalformedNameError, SpoolError
from spool.layouts import layout_named
from spool.names import DomainName, UserName
from spool.progress import Progress, counted
from spool.roster_files import RosterFiles
from spool.settings import SpoolSettings
from spool.site import Site
from spool.user_homes import UserHomes

SHOWN: Final = 20
"""How many names of each sort a report holds."""
MAX_DROP: Final = 0.05
"""The share of users that may vanish at once: a source that lost a twentieth of them has more likely been cut."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What an operator may want differently.

    Attributes:
        add_only: take new users only; nobody is removed or changed.
        wildcards: give new users their extensions.
        homes_of_source: put new users where the source says, not where the layout says.
        change_homes: put the users who are there already where a new user would be put. No mail is moved.
        make_homes: make homes, mailboxes and links that are missing.
        max_drop: the share of the users, 0 to 1, that may be removed.
    """

    add_only: bool = False
    wildcards: bool = True
    homes_of_source: bool = False
    change_homes: bool = False
    make_homes: bool = False
    max_drop: float = MAX_DROP


@dataclass(frozen=True, slots=True)
class Names:
    """How many users, and the first of them."""

    count: int
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OwnerChange:
    """What a line said of a user, and what it will say; None for what stays."""

    user: str
    uid: tuple[str, str] | None
    gid: tuple[str, str] | None
    home: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Difference:
    """What taking over will do to the table. ``changes`` and ``left_out`` hold the first of them only."""

    users_before: int
    users_after: int
    added: Names
    removed: Names
    changed: int
    changes: tuple[OwnerChange, ...]
    skipped: Mapping[str, int]
    left_out: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """A user whose home could not be made, and who is therefore not added if new."""

    user: str
    what: str


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What taking over came to. ``last`` are the copies of what was replaced, none if nothing was."""

    difference: Difference
    homes_made: int
    troubles: tuple[Trouble, ...]
    last: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Directory:
    """What was read: the accounts, what was skipped, and what is added beside them."""

    accounts: Mapping[bytes, Account]
    skipped: tuple[Skipped, ...]
    additions: Additions


class Takeover:
    """Takes directories over into the table of one site.

    Args:
        site: whose users.
        settings: of its spool.
        default: gives uid and gid for new users of whom the directory says none; not called if there are none.
        policy: what the operator wants.
    """

    def __init__(
        self, site: Site, settings: SpoolSettings, *, default: Callable[[], tuple[int, int]], policy: Policy
    ) -> None:
        self._policy: Final = policy
        self._files: Final = RosterFiles(site)
        self._homes: Final = UserHomes(settings)
        layout = layout_named(settings.layout)

        # The layout's paths, without a Path for each of a million users.
        def by_layout(accounts: Sequence[Account]) -> Iterable[bytes]:
            directories = layout.directories([account.name.decode("ascii") for account in accounts])
            fronts = {each: os.fsencode(settings.root / each / "_")[:-1] for each in set(directories)}
            return (fronts[directory] + account.name for directory, account in zip(directories, accounts, strict=True))

        def by_source(accounts: Sequence[Account]) -> Iterable[bytes]:
            return (account.home or home for account, home in zip(accounts, by_layout(accounts), strict=True))

        self._rules: Final = Rules(
            break_character=settings.break_character.encode("ascii"),
            default=cache(default),
            homes_of=by_source if policy.homes_of_source else by_layout,
            add_only=policy.add_only,
            wildcards=policy.wildcards,
            change_homes=policy.change_homes,
        )

    def run(
        self,
        directory: Directory,
        progress: Progress,
        *,
        dry_run: bool = False,
        before: Callable[[Difference], None] = lambda _difference: None,
    ) -> TakenOver:
        """Take a directory over.

        Holds when it returns; look-ups see all of it at one moment. A crash before that leaves the old table, perhaps
        with homes for users who are not in it yet, or the new one as text only; the same call again does the rest.

        Args:
            directory: what was read.
            progress: is told of each home.
            dry_run: change nothing, and do not make homes.
            before: is told the difference before anything is changed; what it raises ends the work.

        Raises:
            RosterError: too many users would be removed, a domain is not local, an addition is for nobody.
            SpoolError: something could not be read or written.
        """
        policy, rules = self._policy, self._rules
        with self._files.locked() as assigned:
            decision = decide(assigned, directory.accounts, directory.additions, rules)
            difference = _difference(decision, directory.skipped)
            before(difference)
            check_dropped(decision, policy.max_drop)
            memberships = _memberships(decision, directory.accounts, add_only=policy.add_only)
            self._files.check_domains({domain for domains in memberships.values() for domain in domains})
            changed = replaced(assigned, decision, directory.additions, rules)
            if dry_run:
                return TakenOver(difference, 0, (), ())
            made, troubles = self._make_homes(decision, directory.accounts, progress) if policy.make_homes else (0, ())
            if troubles:
                for trouble in troubles:
                    decision.added.pop(octets(trouble.user), None)
                changed = replaced(assigned, decision, directory.additions, rules)
            last = self._files.keep_last(assigned, changed, memberships)
            self._files.write_domains(memberships)
            if changed.text != assigned.text:
                self._files.write(changed)
            else:
                self._files.compile_if_stale(assigned)
            return TakenOver(difference, made, troubles, last)

    def _make_homes(
        self, decision: Decision, accounts: Mapping[bytes, Account], progress: Progress
    ) -> tuple[int, tuple[Trouble, ...]]:
        """Make the homes of new users, and those that are missing of the others whom the directory names."""
        wanted = [(name, owner, name in decision.added) for name, owner in decision.owners() if name in accounts]
        made, troubles = 0, list[Trouble]()
        for octets_of_name, owner, new in counted(wanted, progress, "homes", len(wanted)):
            name, home, uid = UserName(text(octets_of_name)), Path(text(owner.home)), int(owner.uid)
            if not new and os.path.lexists(home):
                continue
            try:
                if new:
                    self._homes.check(name, home, uid)
                self._homes.make(name, uid=uid, gid=int(owner.gid), home=home)
                made += 1
            except SpoolError as error:
                troubles.append(Trouble(name.text, str(error)))
        return made, tuple(troubles)


def _memberships(
    decision: Decision, accounts: Mapping[bytes, Account], *, add_only: bool
) -> dict[UserName, tuple[DomainName, ...]]:
    """Say whose lines in ``control/domains`` change: of those with domains in the source, and of the removed."""
    found: dict[UserName, tuple[DomainName, ...]] = {}
    for name in decision.removed:
        with contextlib.suppress(MalformedNameError):  # written by hand, and so in no domain
            found[UserName(text(name))] = ()
    for name, account in accounts.items():
        if account.domains and (name in decision.added or (name in decision.stored and not add_only)):
            found[UserName(text(name))] = account.domains
    return found


def _difference(decision: Decision, left: Iterable[Skipped]) -> Difference:
    skipped = (*left, *decision.skipped)
    before = len(decision.stored)
    changes = [
        _owner_change(text(user), decision.stored[user], new) for user, new in list(decision.changed.items())[:SHOWN]
    ]
    return Difference(
        users_before=before,
        users_after=before + len(decision.added) - len(decision.removed),
        added=_names(decision.added),
        removed=_names(decision.removed),
        changed=len(decision.changed),
        changes=tuple(changes),
        skipped=dict(Counter(each.reason.value for each in skipped)),
        left_out=skipped[:SHOWN],
    )


def _owner_change(user: str, old: Owner, new: Owner) -> OwnerChange:
    uid, gid, home = (
        None if before == after else (text(before), text(after)) for before, after in zip(old, new, strict=True)
    )
    return OwnerChange(user, uid, gid, home)


def _names(users: Mapping[bytes, object] | tuple[bytes, ...]) -> Names:
    return Names(len(users), tuple(text(user) for user in islice(users, SHOWN)))
