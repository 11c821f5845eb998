"""What a source of users says of one, checked."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from spool.errors import MalformedNameError
from spool.names import DomainName, UserName

ID_MAX: Final = 2**32 - 2  # chown(2) takes 2**32 - 1 for "leave it"
_SHOWN_OCTETS: Final = 80
PIECE_OCTETS: Final = 1 << 17
"""What of a source is cut into columns at once; small, because one line in another form makes its piece slow."""


class SkipReason(enum.Enum):
    """Why a source's entry is not taken."""

    FIELDS = "fields are missing"
    NUL = "it contains a NUL"
    COMPAT = "it begins with + or -, as NIS compatibility lines do"
    UPPER_CASE = "upper case in the name"
    NAME = "not a name for a user here"
    DOMAIN = "not a domain"
    ROOT = "uid 0"
    SYSTEM = "the uid is below the lowest one of users"
    ID = "uid or gid is not a number in range"
    HOME = "the home is not an absolute path without colon or .., below the root"
    REPEATED = "named before, with other values"
    NOT_INCLUDED = "not in the list to include"
    EXCLUDED = "in the list to exclude"
    HOME_MISSING = "the home is missing"
    HOME_NOT_OWNED = "the home is not the user's directory"
    NAME_ASSIGNED = "the name is assigned to another user"
    HOME_SHARED = "the home is, holds or lies in another user's"


class Account(NamedTuple):
    """A user as the source names them: checked octets, in a tuple, because there may be a million.

    ``line`` is where the source names them, from 1. ``name`` is a ``UserName``'s, ``uid`` and ``gid`` are numbers and
    ``home`` an absolute path, all in plain form; None for what the source does not say.
    """

    line: int
    name: bytes
    uid: bytes | None
    gid: bytes | None
    home: bytes | None
    domains: tuple[DomainName, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """An entry that is not taken; ``line`` counts from 1, ``name`` is as written, cut where it is long."""

    line: int
    name: str
    reason: SkipReason


def accounts_of(rows: Iterable[tuple[object, ...]]) -> Iterator[Account]:
    """Make accounts of rows that were checked, column by column."""
    # By tuple.__new__ itself: in half the time that Account(*row) takes, of a second for a million.
    return map(partial(tuple.__new__, Account), rows)


def account(
    line: int, name: bytes, uid: bytes | None, gid: bytes | None, home: bytes | None, domain: bytes = b""
) -> Account | Skipped:
    """Check what a source says of one user, field by field.

    Args:
        line: where the entry begins.
        name: the user's.
        uid: in decimal digits; None where the source does not say it, as with ``gid`` and ``home``.
        gid: in decimal digits.
        home: as written.
        domain: empty for none.
    """
    try:
        UserName(text(name))
    except MalformedNameError:
        return skipped(line, name, SkipReason.UPPER_CASE if name != name.lower() else SkipReason.NAME)
    try:
        uid, gid = _plain_id(uid), _plain_id(gid)
    except ValueError:
        return skipped(line, name, SkipReason.ID)
    if uid == b"0":
        return skipped(line, name, SkipReason.ROOT)
    if home is not None:
        if not home.startswith(b"/") or b".." in home.split(b"/") or any(octet in home for octet in b":\n\0"):
            return skipped(line, name, SkipReason.HOME)
        home = octets(str(Path(text(home))))
        if home in (b"/", b"//"):
            return skipped(line, name, SkipReason.HOME)
    try:
        domains = (DomainName(text(domain).lower()),) if domain else ()
    except MalformedNameError:
        return skipped(line, name, SkipReason.DOMAIN)
    return Account(line, name, uid, gid, home, domains)


def _plain_id(digits: bytes | None) -> bytes | None:
    if digits is None:
        return None
    # bytes.isdigit() is ASCII-only.
    if not digits.isdigit() or len(digits) > 10 or int(digits) > ID_MAX:
        raise ValueError(digits)
    return b"%d" % int(digits)


def skipped(line: int, name: bytes, reason: SkipReason) -> Skipped:
    """Note an entry that is not taken."""
    return Skipped(line, text(name[:_SHOWN_OCTETS]), reason)


def text(field: bytes) -> str:
    """Decode a field; octets that are not UTF-8 become surrogate escapes."""
    return field.decode("utf-8", "surrogateescape")


def octets(field: str) -> bytes:
    """Undo ``text``."""
    return field.encode("utf-8", "surrogateescape")
