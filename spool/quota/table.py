"""``control/quotas``: the limits of single users, a line ``user:limit`` for each."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from spool import durable
from spool.control_files import entries
from spool.errors import MalformedNameError, SettingsError
from spool.names import UserName
from spool.quota.limits import Limit, parse_limit
from spool.site import Site
from spool.stamps import Stamp, stamp_of


class Limits:
    """Who may have how much: ``control/quotas``, and for users it does not name the site's default.

    A look-up searches the text for one line and parses that one: a delivery is a process of its own, and a site may
    have a line for each of many users. The text is read again when the file has changed. Safe for threads: at worst
    two of them read it at once.

    Args:
        path: the file; it may be missing.
        default: the limit of users without a line, None for no limit.
    """

    def __init__(self, path: Path, default: Limit | None) -> None:
        self._path: Final = path
        self._name: Final = os.fspath(path)
        self._default: Final = default
        self._kept: tuple[Stamp, bytes] | None = None

    def of(self, user: UserName) -> Limit | None:
        """Return a user's limit, None if there is none. Of several lines for one user the first counts.

        Raises:
            SettingsError: the file cannot be read, or the user's line is wrong.
        """
        mark = f"{user.text}:".encode("ascii")
        text = self._text()
        start = 0 if text.startswith(mark) else text.find(b"\n" + mark) + 1
        if start == 0 and not text.startswith(mark):
            return self._default
        end = text.find(b"\n", start)
        line = text[start : len(text) if end < 0 else end].decode("ascii", "replace").rstrip()
        return _parse_limit(self._path, lambda: text.count(b"\n", 0, start) + 1, line[len(mark) :])

    def all(self) -> Mapping[UserName, Limit | None]:
        """Return what all lines say; the first line of a user counts.

        Raises:
            SettingsError: the file cannot be read, or a line is wrong.
        """
        lines = entries(self._text().decode("ascii", "replace"))
        parsed = [_parse(self._path, number, line) for number, line in lines]
        return dict(reversed(parsed))

    def _text(self) -> bytes:
        try:
            stamp = stamp_of(os.stat(self._name))  # noqa: PTH116 (for each recipient; Path.stat takes twice as long)
            kept = self._kept
            if kept is not None and kept[0] == stamp:
                return kept[1]
            with self._path.open("rb") as file:
                stamp = stamp_of(os.fstat(file.fileno()))
                text = file.read()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise SettingsError(f"{self._path}: {error.strerror}") from error
        self._kept = stamp, text
        return text


def change_limit(site: Site, user: UserName, limit: str | None, *, dry_run: bool = False) -> None:
    """Write a user's line of ``control/quotas``, in the place of those there are.

    Holds when it returns. A crash before that leaves the old file or the new one, whole.

    Args:
        site: the site.
        user: whose limit.
        limit: as ``spool.quota.limits.parse_limit`` reads it; None takes the lines out, so that the default holds.
        dry_run: check the limit, and change nothing.

    Raises:
        SettingsError: it is not a limit.
        SpoolError: the file cannot be read or written.
    """
    if limit is not None:
        try:
            parse_limit(limit)
        except ValueError as error:
            raise SettingsError(f"{user}: {error}") from error
    if dry_run:
        return
    with durable.storage_errors(site.quotas):
        lock = durable.open_for_update(site.assign_lock, create_mode=0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            write_limit(site.quotas, user, limit)
        finally:
            os.close(lock)


def write_limit(path: Path, user: UserName, limit: str | None) -> None:
    """Write a user's line, as ``change_limit``, for whoever has the lock of the roster; the limit is not checked.

    Holds and crashes as that; nothing is written if there is nothing to change.

    Raises:
        SpoolError: the file cannot be read or written.
    """
    with durable.storage_errors(path):
        try:
            status = path.stat()
            old, mode, owner = path.read_bytes(), stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid)
        except FileNotFoundError:
            old, mode, owner = b"", 0o644, None
        mark = f"{user.text}:".encode("ascii")
        kept = [line for line in old.splitlines(keepends=True) if not line.startswith(mark)]
        new = [] if limit is None else [mark + limit.encode("ascii") + b"\n"]
        text = b"".join(_whole_lines([*kept, *new]))
        if text != old:
            durable.replace_file(path, [text], mode=mode, owner=owner)


def _whole_lines(lines: list[bytes]) -> Iterator[bytes]:
    for line in lines:
        yield line if line.endswith(b"\n") else line + b"\n"


def _parse(path: Path, number: int, line: str) -> tuple[UserName, Limit | None]:
    user, _, limit = line.partition(":")
    try:
        name = UserName(user)
    except MalformedNameError as error:
        raise SettingsError(f"{path}: line {number}: expected user:limit, found {line[:80]!r}") from error
    return name, _parse_limit(path, lambda: number, limit)


def _parse_limit(path: Path, line_number: Callable[[], int], text: str) -> Limit | None:
    try:
        return parse_limit(text)
    except ValueError as error:
        raise SettingsError(f"{path}: line {line_number()}: {error}") from error
