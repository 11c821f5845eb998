"""Private files of lines ``user:value``: what ``control/passwd`` and ``control/apop`` have in common.

A user may have several lines; their order is kept. Empty lines and lines that begin with ``#`` say nothing. Whatever
follows a second colon is ignored, so that a Dovecot ``passwd-file`` can be taken over as it is. A line that cannot be
read makes the whole file unusable, because nobody can say whose it was.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from accounts.watched_file import PRIVATE, WatchedFile
from spool import durable
from spool.errors import MalformedNameError, SettingsError
from spool.names import UserName

MAX_VALUES_PER_USER: Final = 8


class UserLines:
    """One such file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._watched = WatchedFile(path, _parse, forbidden_mode=PRIVATE)

    def values(self, user: UserName) -> tuple[str, ...]:
        """The user's values, in the order of the lines; empty for a user without one.

        Raises:
            SettingsError: the file cannot be used now.
        """
        return self._watched.content().get(user.text, ())

    def all(self) -> Mapping[str, tuple[str, ...]]:
        """Every user's values, by name.

        Raises:
            SettingsError: the file cannot be used now.
        """
        return self._watched.content()

    def replace(self, user: UserName, values: Sequence[str]) -> bool:
        """Give the user these values and no others; no values remove the user. Other lines stay as they are.

        Mode and owner are kept; a new file gets mode 0600 and the owner of its directory. Waits while another process
        replaces lines. Holds when it returns; a crash before that leaves the old file or the new one.

        Returns:
            Whether the user had values before.

        Raises:
            SettingsError: the file cannot be used or written now; nothing was changed.
        """
        try:
            with _changing(self.path.parent) as directory:
                try:
                    octets, status = self.path.read_bytes(), self.path.stat()
                except FileNotFoundError:
                    octets, status = b"", directory
                lines = _lines(self.path, octets)
                kept = [line for name, _, line in lines if name != user.text]
                added = [f"{user}:{value}" for value in values]
                content = "".join(f"{line}\n" for line in (*kept, *added)).encode("utf-8", "surrogateescape")
                durable.replace_file(self.path, [content], mode=0o600, owner=(status.st_uid, status.st_gid))
        except OSError as error:
            raise SettingsError(f"{self.path}: {error.strerror}") from error
        return len(kept) < len(lines)


@contextlib.contextmanager
def _changing(directory: Path) -> Iterator[os.stat_result]:
    # The lock is on the directory: the file may not exist yet, and does not stay the same file.
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _parse(path: Path, octets: bytes) -> Mapping[str, tuple[str, ...]]:
    users: dict[str, tuple[str, ...]] = {}
    for name, value, _ in _lines(path, octets):
        if name is not None:
            users[name] = (*users.get(name, ()), value)
    return users


def _lines(path: Path, octets: bytes) -> list[tuple[str | None, str, str]]:
    """Each line's user, value and text; the user is None in lines that say nothing."""
    found: list[tuple[str | None, str, str]] = []
    counts: dict[str, int] = {}
    for number, line in enumerate(octets.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n"), start=1):
        if not line.strip() or line.startswith("#"):
            found.append((None, "", line))
            continue
        name, colon, rest = line.partition(":")
        value = rest.partition(":")[0]
        try:
            UserName(name)
        except MalformedNameError:
            # The line may hold a password: it is not quoted.
            raise SettingsError(
                f"{path}: line {number}: expected user:{{SCHEME}}verifier, found no user name"
            ) from None
        if not colon or not value:
            raise SettingsError(f"{path}: line {number}: expected user:{{SCHEME}}verifier, found no verifier")
        counts[name] = counts.get(name, 0) + 1
        if counts[name] > MAX_VALUES_PER_USER:
            raise SettingsError(f"{path}: line {number}: expected at most {MAX_VALUES_PER_USER} lines for one user")
        found.append((name, value, line))
    return found if octets else []
