"""Control files: lists that scripts maintain, in qmail's form.

One entry a line. Trailing white space is cut off; empty lines, and lines whose first octet is ``#``, are not entries;
white space in front is part of the entry. A file is read again when it has been replaced or changed (``spool.stamps``),
at the price of one stat a look-up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, Generic, TypeVar

from spool.errors import MalformedNameError, SettingsError
from spool.names import DomainName, UserName
from spool.stamps import Stamp, stamp_of

Content = TypeVar("Content")


class ListFile(Generic[Content]):
    """The parsed content of one control file. Safe for threads: at worst two of them read it at once.

    Args:
        path: the file.
        parse: makes the content of numbered entries; a ``SettingsError`` it raises names file and line.
        missing: the content of a file that is not there; None if it must be there.
    """

    def __init__(
        self, path: Path, parse: Callable[[Iterable[tuple[int, str]]], Content], *, missing: Content | None = None
    ) -> None:
        self.path: Final = path
        self._name: Final = os.fspath(path)
        self._parse: Final = parse
        self._missing: Final = missing
        self._kept: tuple[Stamp, Content] | None = None

    def content(self) -> Content:
        """Return what the file says now.

        Raises:
            SettingsError: it is missing and must not be, cannot be read, or is wrong.
        """
        try:
            stamp = stamp_of(os.stat(self._name))  # noqa: PTH116 (for each recipient; Path.stat takes twice as long)
            kept = self._kept
            if kept is not None and kept[0] == stamp:
                return kept[1]
            # Should the file be replaced here, the old stamp with the new content costs one more reading.
            text = self.path.read_text("ascii")
        except FileNotFoundError as error:
            if self._missing is None:
                raise SettingsError(f"{self.path}: no such file") from error
            return self._missing
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise SettingsError(f"{self.path}: line {line}: expected ASCII, found another character") from error
        except OSError as error:
            raise SettingsError(f"{self.path}: {error.strerror}") from error
        content = self._parse(entries(text))
        self._kept = stamp, content
        return content


def entries(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, entry) of a control file."""
    for number, line in enumerate(text.split("\n"), start=1):
        entry = line.rstrip(" \t\r\n\f\v")
        if entry and not line.startswith("#"):
            yield number, entry


class Locals:
    """``control/locals``: the domains whose mail is kept here. The file must be there."""

    def __init__(self, path: Path) -> None:
        def parse(lines: Iterable[tuple[int, str]]) -> frozenset[DomainName]:
            return frozenset(_domain(path, number, text) for number, text in lines)

        self._file: Final = ListFile(path, parse)

    def contains(self, domain: DomainName) -> bool:
        """Whether the domain is local.

        Raises:
            SettingsError: as ``ListFile.content``.
        """
        return domain in self._file.content()

    def named(self, text: str) -> DomainName:
        """Return the local domain of a name, in any case.

        Raises:
            MalformedNameError: it is no domain's name.
            SettingsError: it is not local, or as ``ListFile.content``.
        """
        domain = DomainName(text.lower())
        if not self.contains(domain):
            raise SettingsError(f"{domain}: is not in {self._file.path}")
        return domain

    def all(self) -> frozenset[DomainName]:
        """Return every local domain.

        Raises:
            SettingsError: as ``ListFile.content``.
        """
        return self._file.content()


class Domains:
    """``control/domains``: which local domains a user belongs to, a line ``user:domain`` for each.

    A user without a line belongs to all of them. The file may be missing.
    """

    def __init__(self, path: Path) -> None:
        def parse(lines: Iterable[tuple[int, str]]) -> dict[UserName, frozenset[DomainName]]:
            found: dict[UserName, frozenset[DomainName]] = {}
            for number, text in lines:
                user, domain = _membership(path, number, text)
                found[user] = found.get(user, frozenset()) | {domain}
            return found

        self._file: Final = ListFile[dict[UserName, frozenset[DomainName]]](path, parse, missing={})

    def of(self, user: UserName) -> frozenset[DomainName] | None:
        """Return the domains the user belongs to, None for all.

        Raises:
            SettingsError: as ``ListFile.content``.
        """
        return self._file.content().get(user)

    def belongs(self, user: UserName, domain: DomainName) -> bool:
        """Whether the user belongs to a local domain.

        Raises:
            SettingsError: as ``ListFile.content``.
        """
        domains = self.of(user)
        return domains is None or domain in domains


def with_memberships(text: str, memberships: Mapping[UserName, Iterable[DomainName]]) -> str:
    """Return the text of ``control/domains`` with exactly these lines for some users; other lines stay as they are."""
    users = {user.text for user in memberships}
    kept = [line for line in text.splitlines() if line.partition(":")[0].strip().lower() not in users]
    lines = (f"{user}:{domain}" for user, domains in memberships.items() for domain in sorted(domains))
    return "".join(f"{line}\n" for line in [*kept, *lines])


def _membership(path: Path, number: int, text: str) -> tuple[UserName, DomainName]:
    user, colon, domain = text.partition(":")
    if not colon:
        raise SettingsError(f"{path}: line {number}: expected user:domain, found {text[:80]!r}")
    try:
        return UserName(user.lower()), _domain(path, number, domain)
    except MalformedNameError as error:
        raise SettingsError(f"{path}: line {number}: expected a user name, found {user[:80]!r}") from error


def _domain(path: Path, number: int, text: str) -> DomainName:
    try:
        return DomainName(text.lower())
    except MalformedNameError as error:
        raise SettingsError(f"{path}: line {number}: expected a domain, found {text[:80]!r}") from error
