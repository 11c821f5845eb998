"""The control files that hold the users: read, and replaced, under the roster's lock."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from spool import durable
from spool.assign import compile_plain, publish_plain
from spool.assign_text import AssignText
from spool.control_files import Locals, with_memberships
from spool.errors import RosterError, SettingsError
from spool.names import DomainName, UserName
from spool.site import Site


class RosterFiles:
    """``control/assign`` with its database, and ``control/domains``, of one site."""

    def __init__(self, site: Site) -> None:
        self._site: Final = site

    @contextlib.contextmanager
    def locked(self) -> Iterator[AssignText]:
        """Hold the lock of the roster, and give the assignments as they are.

        Raises:
            SettingsError: the assignments cannot be read, or are wrong.
            SpoolError: the lock cannot be taken.
        """
        with durable.storage_errors(self._site.assign_lock):
            lock = durable.open_for_update(self._site.assign_lock, create_mode=0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield AssignText.read(self._site.assign)
        finally:
            os.close(lock)

    def write(self, changed: AssignText) -> None:
        """Replace the text, then the database.

        Holds when it returns. A crash before that leaves the old text or the new one; between the two the database
        says what the old text said, until ``compile_if_stale`` or the next change.

        Raises:
            SpoolError: something could not be written.
        """
        _replace(self._site.assign, changed.text)
        publish_plain(changed.pieces(), self._site.assign_compiled)

    def compile_if_stale(self, assigned: AssignText) -> None:
        """Finish a change that was stopped between the text and the database.

        Raises:
            SpoolError: the database cannot be written.
        """
        if not self._is_compiled(assigned):
            publish_plain(assigned.pieces(), self._site.assign_compiled)

    def check_domains(self, domains: Iterable[DomainName]) -> None:
        """See that domains are local.

        Raises:
            RosterError: one is not.
            SettingsError: ``control/locals`` cannot be read.
        """
        local = Locals(self._site.locals)
        for domain in domains:
            if not local.contains(domain):
                raise RosterError(f"{domain}: is not in {self._site.locals}")

    def write_domains(self, memberships: Mapping[UserName, Iterable[DomainName]]) -> None:
        """Put users into exactly these domains; with none of them they have no line. Holds when it returns.

        Raises:
            SpoolError: ``control/domains`` cannot be read or written.
        """
        old, new = self._domains(memberships)
        if new != old:
            _replace(self._site.domains, new)

    def keep_last(
        self, assigned: AssignText, changed: AssignText, memberships: Mapping[UserName, Iterable[DomainName]]
    ) -> tuple[Path, ...]:
        """Copy what a change will replace to ``control/assign.last`` and ``control/domains.last``.

        Holds when it returns. What will not change is not copied, so that a change that was stopped and is made again
        does not take the place of what was there before it.

        Returns:
            The copies.

        Raises:
            SpoolError: something could not be read or written.
        """
        texts = {
            self._site.assign: (assigned.text, changed.text),
            self._site.domains: self._domains(memberships),
        }
        replaced = {path: old for path, (old, new) in texts.items() if old != new}
        for path, old in replaced.items():
            _replace(last_of(path), old)
        return tuple(map(last_of, replaced))

    def _is_compiled(self, assigned: AssignText) -> bool:
        try:
            with self._site.assign_compiled.open("rb") as file:
                same = all(file.read(len(piece)) == piece for piece in compile_plain(assigned.pieces()))
                return same and not file.read(1)
        except OSError:
            return False

    def _domains(self, memberships: Mapping[UserName, Iterable[DomainName]]) -> tuple[bytes, bytes]:
        path = self._site.domains
        old = _read(path) if path.exists() else b""
        new = with_memberships(old.decode("utf-8", "surrogateescape"), memberships)
        return old, new.encode("utf-8", "surrogateescape")


def last_of(path: Path) -> Path:
    """Say where the last good copy of a control file is kept."""
    return path.with_name(f"{path.name}.last")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error


def _replace(path: Path, text: bytes) -> None:
    """Replace a control file, keeping owner and mode. Holds when it returns; a crash leaves the old or the new."""
    mode, owner = 0o644, None
    with durable.storage_errors(path):
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            mode, owner = stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid)
        durable.replace_file(path, [text], mode=mode, owner=owner)
