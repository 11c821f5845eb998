"""Bringing the table of assignments in line with a directory of users: what changes, and the text after it.

Every line belongs to the user it leads to. The lines of a user whom the directory does not name go; those of a user
whom it names stay, aliases written by hand among them, and follow a change of uid or gid. A user's home is the one that
is stored: a directory that names another does not move the mail, so the line may not move either, unless told to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from spool.assign import parse_line
from spool.assign_text import AssignText, columns_of
from spool.directory_sources.accounts import Account, Skipped, SkipReason, octets, skipped, text
from spool.directory_sources.lists import Additions
from spool.errors import RosterError

_NAMES_SHOWN: Final = 5


class Owner(NamedTuple):
    """Uid, gid and home of a user, as they stand in a line. A tuple, because there may be a million."""

    uid: bytes
    gid: bytes
    home: bytes


# In half the time that Owner(*fields) takes.
_owner_of: Final[Callable[[Iterable[bytes]], Owner]] = partial(tuple.__new__, Owner)


@dataclass(frozen=True, slots=True)
class Rules:
    """How a directory is taken over.

    Attributes:
        break_character: what an extension begins after.
        default: gives uid and gid for new users of whom the directory says none.
        homes_of: says where the homes of new users shall be, in their order.
        add_only: take new users only; nobody is removed or changed.
        wildcards: give new users their extensions.
        change_homes: give users whose lines are there already the home that a new user would have.
    """

    break_character: bytes
    default: Callable[[], tuple[int, int]]
    homes_of: Callable[[Sequence[Account]], Iterable[bytes]]
    add_only: bool = False
    wildcards: bool = True
    change_homes: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of whom. All users of the table are in ``stored``, with what the first of their lines says."""

    stored: Mapping[bytes, Owner]
    added: dict[bytes, Owner]
    changed: Mapping[bytes, Owner]
    removed: tuple[bytes, ...]
    skipped: tuple[Skipped, ...]

    def owners(self) -> Iterator[tuple[bytes, Owner]]:
        """Yield all users there will be."""
        gone = frozenset(self.removed)
        for user, owner in self.stored.items():
            if user not in gone:
                yield user, self.changed.get(user, owner)
        yield from self.added.items()


def decide(assigned: AssignText, accounts: Mapping[bytes, Account], additions: Additions, rules: Rules) -> Decision:
    """Compare the table with a directory."""
    stored, aliases = _read_table(assigned)
    kept = set(_users_of(additions.appended))
    removed = () if rules.add_only else tuple(user for user in stored if user not in accounts and user not in kept)
    gone = frozenset(removed)
    homes = _Homes(owner.home for user, owner in stored.items() if user not in gone)
    added: dict[bytes, Owner] = {}
    changed: dict[bytes, Owner] = {}
    left: list[Skipped] = []
    for account, new in () if rules.add_only else _changes(accounts, stored, rules):
        if new.home == stored[account.name].home or homes.take(new.home):
            changed[account.name] = new
        else:
            left.append(skipped(account.line, account.name, SkipReason.HOME_SHARED))
    new_owners = _new_owners(accounts, stored, rules)
    if not aliases and homes.take_all([owner.home for _, owner in new_owners]):
        added = {account.name: owner for account, owner in new_owners}
        new_owners = []
    for account, owner in new_owners:
        name = account.name
        if (other := aliases.get(b"=" + name)) is not None and other not in gone:
            left.append(skipped(account.line, name, SkipReason.NAME_ASSIGNED))
        elif not homes.take(owner.home):
            left.append(skipped(account.line, name, SkipReason.HOME_SHARED))
        else:
            added[name] = owner
    return Decision(stored, added, changed, removed, tuple(left))


def check_dropped(decision: Decision, max_drop: float) -> None:
    """Refuse a decision that removes more than this share, 0 to 1, of the users.

    Raises:
        RosterError: it does; nothing was changed.
    """
    removed, users = len(decision.removed), len(decision.stored)
    if removed > max_drop * users:
        some = ", ".join(map(text, decision.removed[:_NAMES_SHOWN]))
        more = ", …" if removed > _NAMES_SHOWN else ""
        raise RosterError(
            f"{removed} of {users} users would be removed ({some}{more}), more than the share of {max_drop:g} that may "
            "be; nothing was changed"
        )


def replaced(assigned: AssignText, decision: Decision, additions: Additions, rules: Rules) -> AssignText:
    """Write the text after a decision: what stays as it stands, then the new users, then what is added beside them.

    An addition takes the place of a line for the same local part, unless that part is another user's name.

    Raises:
        RosterError: an addition is for nobody who will be there, or cannot be written as text.
    """
    listed = _listed_lines(decision, additions, rules)
    written = bytearray()
    for piece in _kept_pieces(assigned, decision, listed):
        written += piece
    exact, wildcard = _templates(rules)
    for name, (uid, gid, home) in decision.added.items():
        if name not in additions.mail_names:
            values = (name, name, uid, gid, home)
            written += exact % values
            if rules.wildcards:
                written += wildcard % values
    for line in listed.values():
        written += line
    return AssignText(b"".join((written, assigned.text[assigned.end :])), len(written), assigned.plain)


def _read_table(assigned: AssignText) -> tuple[dict[bytes, Owner], dict[bytes, bytes]]:
    """Read the users, and whose the local parts are that are no user's name, each with its ``=``."""
    stored: dict[bytes, Owner] = {}
    aliases: dict[bytes, bytes] = {}
    for columns in assigned.columns():
        users, uids, gids, homes = columns.users, columns.uids, columns.gids, columns.homes
        # Backwards, so that of a user's lines the first counts.
        found = dict(zip(reversed(users), reversed(range(len(users))), strict=True))
        for user, line in reversed(found.items()):
            if user not in stored:
                stored[user] = _owner_of((uids[line], gids[line], homes[line]))
        names = {head for head in columns.heads if head.startswith(b"=")}
        names.difference_update(map(b"=".__add__, found))
        if names:
            for head, user in zip(columns.heads, columns.users, strict=True):
                if head in names:
                    aliases.setdefault(head.lower(), user)
    return stored, aliases


def _changes(
    accounts: Mapping[bytes, Account], stored: Mapping[bytes, Owner], rules: Rules
) -> Iterator[tuple[Account, Owner]]:
    """Yield the users who are there already and of whom the directory says something else, and what."""
    known = [account for name, account in accounts.items() if name in stored]
    homes = rules.homes_of(known) if rules.change_homes else (stored[account.name].home for account in known)
    for account, home in zip(known, homes, strict=True):
        old = stored[account.name]
        if account.uid not in (None, old.uid) or account.gid not in (None, old.gid) or home != old.home:
            yield account, Owner(account.uid or old.uid, account.gid or old.gid, home)


def _new_owners(
    accounts: Mapping[bytes, Account], stored: Mapping[bytes, Owner], rules: Rules
) -> list[tuple[Account, Owner]]:
    """List the users who are not there yet, and what their lines shall say."""
    new = [account for name, account in accounts.items() if name not in stored]
    uids, gids = [account.uid for account in new], [account.gid for account in new]
    if None in uids or None in gids:
        uid, gid = (b"%d" % number for number in rules.default())
        uids, gids = [each or uid for each in uids], [each or gid for each in gids]
    owners: Iterable[Owner] = map(partial(tuple.__new__, Owner), zip(uids, gids, rules.homes_of(new), strict=True))
    return list(zip(new, owners, strict=True))


class _Homes:
    """Homes that are taken: none may be, hold or lie in another."""

    def __init__(self, homes: Iterable[bytes]) -> None:
        self._taken: Final = set(homes)
        self._holding: Final[set[bytes]] = set()  # directories somewhere above a home
        self._apart: Final[set[bytes]] = set()  # of these, those that are known to lie in no home
        for parent in {_parent(home) for home in self._taken}:
            self._hold(parent)

    def take(self, home: bytes) -> bool:
        """Take a home if it is apart from all others."""
        if home in self._taken or home in self._holding:
            return False
        parent = _parent(home)
        # That a directory lies in no home stays so: it holds one, and so it, and what is above it, is never taken.
        if parent not in self._apart:
            if self._lies_in_home(parent):
                return False
            self._hold(parent)
            self._apart.add(parent)
        self._taken.add(home)
        return True

    def take_all(self, homes: Sequence[bytes]) -> bool:
        """Take all of these if each is apart from all others; else take none."""
        new, parents = set(homes), {home.rpartition(b"/")[0] for home in homes}
        if len(new) != len(homes) or not new.isdisjoint(self._taken):
            return False
        holding = set(self._holding)
        for parent in parents:
            directory = parent
            while directory and directory not in holding:
                holding.add(directory)
                directory = _parent(directory)
        if not new.isdisjoint(holding) or not self._taken.isdisjoint(holding):
            return False
        self._taken.update(new)
        self._holding.update(holding)
        return True

    def _hold(self, directory: bytes) -> None:
        while directory not in self._holding:
            self._holding.add(directory)
            directory = _parent(directory)

    def _lies_in_home(self, directory: bytes) -> bool:
        while directory:
            if directory in self._taken:
                return True
            directory = _parent(directory)
        return False


def _parent(path: bytes) -> bytes:
    """Return the directory above; the root, and what is above it, is the empty path here."""
    return path.rpartition(b"/")[0]


def _kept_pieces(assigned: AssignText, decision: Decision, listed: Collection[bytes]) -> Iterator[bytes]:
    """Yield what stays of the table: without the removed, and with the changed users as they will be."""
    gone = frozenset(decision.removed)
    touched = gone | decision.changed.keys()
    if not touched and not listed:
        yield assigned.text[: assigned.end]
        return
    for piece, plain in assigned.raw_pieces():
        if plain and touched.isdisjoint(piece.split(b":")[1::7]) and not listed:
            yield piece
            continue
        for line in piece.split(b"\n")[:-1]:
            head, user, _ = line.split(b":", 2)
            if user not in gone and head.lower() not in listed:
                new = decision.changed.get(user)
                yield (line if new is None else _with_owner(line, decision.stored[user], new)) + b"\n"


def _with_owner(line: bytes, old: Owner, new: Owner) -> bytes:
    head, user, _, _, home, rest = line.split(b":", 5)
    if octets(str(parse_line(line).record.home)) == old.home:
        home = new.home
    return b":".join((head, user, new.uid, new.gid, home, rest))


def _listed_lines(decision: Decision, additions: Additions, rules: Rules) -> dict[bytes, bytes]:
    """Write the lines of additions, by ``=`` or ``+`` and local part in lower case; of several the first counts."""
    if additions == Additions():
        return {}
    owners = dict(decision.owners())
    found: dict[bytes, bytes] = {}
    for line in _lines_of_additions(owners, additions, rules):
        head, user, _ = line.split(b":", 2)
        name = head[1:].lower()
        if head.startswith(b"+"):
            name = name.removesuffix(rules.break_character)
        if name == user or name not in owners:
            found.setdefault(head.lower(), line)
    if found and columns_of(b"".join(found.values())) is None:
        wrong = next(line for line in found.values() if columns_of(line) is None)
        raise RosterError(f"{text(wrong[:200])!r} is no line of assignments")
    return found


def _lines_of_additions(owners: Mapping[bytes, Owner], additions: Additions, rules: Rules) -> Iterator[bytes]:
    exact, wildcard = _templates(rules)
    for user, names in additions.mail_names.items():
        if (owner := owners.get(user)) is not None:
            for name in names:
                yield exact % (name, user, *owner)
                if rules.wildcards:
                    yield wildcard % (name, user, *owner)
    for subuser in additions.subusers:
        owner = _owner(owners, subuser.user, f"the subuser {text(subuser.local)}")
        values = (subuser.local, subuser.user, *owner, subuser.extension)
        yield b"=%b:%b:%b:%b:%b:-:%b:\n" % values
        if rules.wildcards:
            yield b"+%b%b:%b:%b:%b:%b:-:%b-:\n" % (subuser.local, rules.break_character, *values[1:])
    if additions.catch_all is not None:
        owner = _owner(owners, additions.catch_all, "all other local parts")
        yield b"+:%b:%b:%b:%b:-::\n" % (additions.catch_all, *owner)
    yield from (line + b"\n" for line in additions.appended.split(b"\n")[:-1])


def _owner(owners: Mapping[bytes, Owner], user: bytes, purpose: str) -> Owner:
    owner = owners.get(user)
    if owner is None:
        raise RosterError(f"{purpose}: there is no user {text(user)}; nothing was changed")
    return owner


def _templates(rules: Rules) -> tuple[bytes, bytes]:
    """Give the lines of a name: of itself, and of what begins with it and the break character."""
    return b"=%b:%b:%b:%b:%b:::\n", b"+%%b%b:%%b:%%b:%%b:%%b:-::\n" % rules.break_character


def _users_of(appended: bytes) -> Iterator[bytes]:
    for line in appended.split(b"\n")[:-1]:
        yield line.split(b":", 2)[1]
