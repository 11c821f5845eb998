"""Changing the text of assignments, leaving every other octet of it as it is."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, count
from pathlib import Path
from typing import Final

from spool.assign import Assignment, AssignRecord, Wildcard, format_line, parse_line
from spool.assign_text import AssignText, columns_of
from spool.names import UserName

_USER_AND_HOME: Final = re.compile(rb"^([=+][^:\n]*:([^:\n]*):[^:\n]*:[^:\n]*:)([^:\n]*)", re.MULTILINE)


def with_user(assigned: AssignText, name: UserName, record: AssignRecord, *, break_character: str) -> AssignText:
    """Add a user after all others: their name, and all that begins with it and the break character.

    Raises:
        ValueError: the record cannot be written as text.
    """
    extended = AssignRecord(record.user, record.uid, record.gid, record.home, dash="-")
    added = (Assignment(name.text, record), Wildcard(name.text + break_character, extended))
    octets = b"".join(format_line(line) for line in added)
    text, end = assigned.text, assigned.end
    return AssignText(text[:end] + octets + text[end:], end + len(octets), assigned.plain)


def without_user(assigned: AssignText, name: UserName) -> AssignText:
    """Take out every assignment to a user: their own, and the aliases and wildcards that lead to them."""
    lines = re.compile(rb"^[^:\n]*:%b:.*\n" % re.escape(name.text.encode("ascii")), re.MULTILINE)
    kept = lines.sub(b"", assigned.text[: assigned.end])
    return AssignText(kept + assigned.text[assigned.end :], len(kept), assigned.plain)


# -- moved homes ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HomeMove:
    """A user's home was at ``old`` and is at ``new``."""

    old: Path
    new: Path


@dataclass(frozen=True, slots=True)
class MovedHomes:
    """Whose homes are the new ones now; ``left`` are those whose home was neither, or who are no users at all."""

    moved: frozenset[UserName]
    left: frozenset[UserName]


def with_homes(assigned: AssignText, moves: Mapping[UserName, HomeMove]) -> tuple[AssignText, MovedHomes]:
    """Give users their new homes, in every assignment to them that names the old one.

    Raises:
        ValueError: a new home cannot be written as text.
    """
    names = {name.text.encode("ascii"): name for name in moves}
    homes = {user: (_octets(moves[name].old), _octets(moves[name].new)) for user, name in names.items()}
    _check_homes(new for _, new in homes.values())
    moved: dict[bytes, tuple[bytes, bytes]] = {}
    for columns in assigned.columns():
        for line in _lines_of(homes, columns.users):
            user = columns.users[line]
            if columns.heads[line] == b"=" + user and columns.homes[line] in homes[user]:
                moved[user] = homes[user]
    pieces = [
        _with_homes_in_columns(piece, moved) if plain else _with_homes_in_lines(piece, moved)
        for piece, plain in assigned.raw_pieces()
    ]
    text = b"".join(pieces)
    changed = AssignText(text + assigned.text[assigned.end :], len(text), assigned.plain)
    users = frozenset(names[user] for user in moved)
    return changed, MovedHomes(users, frozenset(moves) - users)


def _lines_of(users: Container[bytes], column: Sequence[bytes]) -> Iterator[int]:
    """Yield which of the lines, from 0, are these users'."""
    return compress(count(), map(users.__contains__, column))


def _with_homes_in_columns(piece: bytes, moved: Mapping[bytes, tuple[bytes, bytes]]) -> bytes:
    fields = piece.split(b":")
    users = fields[1::7]
    for line in _lines_of(moved, users):
        old, new = moved[users[line]]
        if fields[7 * line + 4] == old:
            fields[7 * line + 4] = new
    return b":".join(fields)


def _with_homes_in_lines(piece: bytes, moved: Mapping[bytes, tuple[bytes, bytes]]) -> bytes:
    """The same in a piece of which some lines have another form than the plain one."""

    def rewritten(found: re.Match[bytes]) -> bytes:
        line, move = found[0], moved.get(found[2])
        if move is not None and _octets(parse_line(line + b":::").record.home) == move[0]:
            return found[1] + move[1]
        return line

    return _USER_AND_HOME.sub(rewritten, piece)


def _check_homes(homes: Iterable[bytes]) -> None:
    lines = [b"=-:-:0:0:%b:::\n" % home for home in homes]
    if columns_of(b"".join(lines)) is None:
        wrong = next(line for line in lines if columns_of(line) is None)
        raise ValueError(f"{wrong[:200]!r} is no line of assignments")


def _octets(path: Path) -> bytes:
    return str(path).encode("utf-8", "surrogateescape")


# -- taken extensions -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TakenExtension:
    """An address ``owner-extension`` that is the user ``taker``'s, so that ``owner`` never gets its mail."""

    owner: UserName
    extension: str
    taker: UserName


def taken_extensions(new: UserName, users: Iterable[str], *, break_character: str) -> Sequence[TakenExtension]:
    """Say which extension a new user takes, and from whom, and which the new user cannot have.

    ``yasuhi-a`` takes ``a``, and all that begins with ``a-``, from ``yasuhi``. Each extension is missed by one user
    only, the one with the longest name, who would get its mail otherwise.
    """
    names = {new.text, *users}
    return [
        TakenExtension(UserName(owner), taker[len(owner) + 1 :], UserName(taker))
        for taker in sorted(name for name in names if name.startswith(new.text))
        for owner in _owners(taker, names, break_character)
        if new.text in {owner, taker}
    ]


def _owners(taker: str, names: set[str], break_character: str) -> Iterator[str]:
    """Yield the user who would own ``taker`` as an extension, if there is one."""
    end = taker.rfind(break_character)
    while end > 0:
        if taker[:end] in names:
            yield taker[:end]
            return
        end = taker.rfind(break_character, 0, end)
