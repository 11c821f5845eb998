"""The directory of users: ``assign.cdb``, asked by deliveries and logins.

A look-up costs one stat and a few small reads and never asks getpw() or NSS. The file may be replaced at any moment;
the next look-up notices (inode, time of modification, size). A file that is missing, torn or foreign means "ask later",
never "no such user". Writers must put a whole new file in its place, as ours and qmail-newu do.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from spool.assign import (
    WILDCARD_SET_KEY,
    AssignLine,
    Assignment,
    AssignRecord,
    exact_key,
    lines_of,
    parse_record_data,
    wildcard_key,
)
from spool.cdb import ConstantDatabase, TornDatabaseError
from spool.errors import DirectoryUnavailableError, MalformedNameError, NoSuchUserError
from spool.names import UserName

_UNUSABLE: Final = (OSError, TornDatabaseError, ValueError)  # what reading a database that is not whole may raise
LOCAL_OCTETS_MAX: Final = 255  # RFC 5321 section 4.5.3.1.1 asks for 64; extensions may be longer (VERP)


@dataclass(frozen=True, slots=True)
class Match:
    """What controls a local part.

    ``record.extension`` is whole: for a wildcard with the rest of the local part in the case it came in. ``prefix`` is
    the wildcard's, in lower case; None for an exact assignment.
    """

    record: AssignRecord
    prefix: str | None


@dataclass(frozen=True, slots=True)
class _Generation:
    """One file that was under the name, with the set of octets its wildcard prefixes end in."""

    database: ConstantDatabase
    signature: tuple[int, int, int]
    last_octets: bytes


class AssignDirectory:
    """Answers whose a local part is. Safe for threads."""

    def __init__(self, path: Path) -> None:
        """Remember where the database is; it is opened at the first look-up."""
        self._path: Final = path
        self._name: Final = os.fspath(path)
        self._current: _Generation | None = None

    def exact(self, local: str) -> AssignRecord:
        """Find the exact assignment of a local part, in any case.

        Raises:
            NoSuchUserError: there is none.
            MalformedNameError: it is no local part.
            DirectoryUnavailableError: the database cannot be read now.
        """
        match = self._find(_check_local(local), wildcards=False)
        if match is None:
            raise NoSuchUserError(f"no exact assignment of {local[:80]!r}")
        return match.record

    def lookup(self, local: str) -> Match:
        """Find what controls a local part: its exact assignment, else that of the longest wildcard prefix.

        Raises:
            NoSuchUserError: nothing controls it.
            MalformedNameError: it is no local part.
            DirectoryUnavailableError: the database cannot be read now.
        """
        match = self._find(_check_local(local), wildcards=True)
        if match is None:
            raise NoSuchUserError(f"no assignment of {local[:80]!r}")
        return match

    def user(self, name: UserName) -> AssignRecord:
        """Find the user who may log in as ``name``: an exact assignment to the user of the same name.

        Others (an alias, a subuser, a wildcard) take mail for somebody and are nobody's account.

        Raises:
            NoSuchUserError: there is no such user.
            DirectoryUnavailableError: the database cannot be read now.
        """
        record = self.exact(name.text)
        if record.user != name.text:
            raise NoSuchUserError(f"{name} is assigned to {record.user!r} and is no user")
        return record

    def users(self) -> Iterator[tuple[UserName, AssignRecord]]:
        """Yield every user who may log in, once, in the order of the file.

        Raises:
            DirectoryUnavailableError: the database cannot be read now.
        """
        seen: set[str] = set()
        for line in self._lines(wildcards=False):
            match line:
                case Assignment(local, record) if local not in seen:
                    seen.add(local)  # of equal keys the first wins
                    if local == record.user:
                        with contextlib.suppress(MalformedNameError):
                            yield UserName(local), record

    def lines(self) -> Iterator[AssignLine]:
        """Yield all assignments of one state of the database, in their order, local parts in lower case.

        Raises:
            DirectoryUnavailableError: the database cannot be read now.
        """
        return self._lines(wildcards=True)

    def _lines(self, *, wildcards: bool) -> Iterator[AssignLine]:
        try:
            records = iter(self._generation().database)
            # A wildcard's record is as dear as an exact one's, and every user has one.
            yield from lines_of(records if wildcards else (each for each in records if _may_be_exact(each[0])))
        except _UNUSABLE as error:
            raise DirectoryUnavailableError(f"{self._path}: {error}") from error

    def _find(self, local: bytes, *, wildcards: bool) -> Match | None:
        """Look up as qmail-lspawn does: the exact key, then the prefixes from the longest on."""
        try:
            generation = self._generation()
            get = generation.database.get
            data = get(exact_key(local))
            if data is not None:
                return Match(parse_record_data(data), None)
            for end in range(len(local) if wildcards else -1, -1, -1):
                if end and local[end - 1 : end].lower() not in generation.last_octets:
                    continue
                data = get(wildcard_key(local[:end]))
                if data is not None:
                    return _wildcard_match(parse_record_data(data), local[:end], local[end:])
        except _UNUSABLE as error:
            raise DirectoryUnavailableError(f"{self._path}: {error}") from error
        return None

    def _generation(self) -> _Generation:
        status = os.stat(self._name)  # noqa: PTH116 (Path.stat costs a look-up's third)
        current = self._current
        if current is not None and current.signature == _signature(status):
            return current
        # Threads that come here at once may open it twice; the last one stays. The file they replace is closed when the
        # last look-up in it is over.
        database = ConstantDatabase(self._path)
        last_octets = database.get(WILDCARD_SET_KEY)
        if last_octets is None:
            raise TornDatabaseError("it is no table of assignments: the record of wildcard characters is missing")
        current = _Generation(database, _signature(database.status), last_octets.lower())
        self._current = current
        return current


def _may_be_exact(key: bytes) -> bool:
    """Whether a key is an exact assignment's, or none that there should be."""
    return key.endswith(b"\0") or not key.startswith(b"!")


def _wildcard_match(record: AssignRecord, prefix: bytes, rest: bytes) -> Match:
    extension = record.extension + rest.decode("utf-8", "surrogateescape")
    return Match(replace(record, extension=extension), prefix.lower().decode("utf-8", "surrogateescape"))


def _signature(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_mtime_ns, status.st_size


def _check_local(local: str) -> bytes:
    """Return the octets of a local part that can be asked for: not empty, not endless, no NUL (it ends exact keys)."""
    try:
        octets = local.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        octets = b""
    if not octets or len(octets) > LOCAL_OCTETS_MAX or b"\0" in octets:
        raise MalformedNameError(f"not a local part: {local[:80]!r}")
    return octets
