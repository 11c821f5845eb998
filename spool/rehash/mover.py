"""Moving one home within a file system: it and the link to it change places, in one instant.

The link is put at the new place first, where nobody looks yet, with the text that is right for the old one; then the
two names are exchanged. So whoever looks for the home at the old place finds it there or finds the link, and whoever
looks at the new place, once that is published, finds the home. Nothing is synced here: a batch is synced as a whole.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from spool import durable
from spool.errors import MailboxBusyError, MailboxUnavailableError
from spool.homes import mailbox_in, opened_home
from spool.rehash.directories import HashDirectories
from spool.rehash.moves import Move, Rights
from spool.rehash.outside import OutsideMboxes
from spool.session_lock import SessionLock
from spool.settings import SpoolSettings

_CANNOT_EXCHANGE: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


class Mover:
    """Moves homes, one at a time.

    Args:
        settings: of the spool.
        directories: where homes lie.
        outside: the mboxes outside of homes.
        rights: those of a user, for making the session lock.
    """

    def __init__(
        self, settings: SpoolSettings, directories: HashDirectories, outside: OutsideMboxes, rights: Rights
    ) -> None:
        self._settings = settings
        self._rights = rights
        self._directories = directories
        self._outside = outside

    def move(self, move: Move) -> tuple[int, int]:
        """Move a home, or finish moving it; one that is at its new place already stays there.

        Holds from the sync of the file systems on; a crash before that leaves the home at one of the places, and a link
        to it, or nothing, at the other. On a file system that cannot exchange names a crash may leave nothing at the
        old place; there whoever looks for it in that moment gets a temporary error.

        Returns:
            Device and inode of the home.

        Raises:
            MailboxBusyError: a session, or a program with the mbox's locks, is using the mailbox; it was not moved.
            SpoolError: it is not there, or cannot be moved, or something else is at the new place.
        """
        with durable.storage_errors(move.new):
            self._directories.make(move.new_directory)
            text = self._directories.text_of_link(move.old, move.new)
            try:
                # First of all, because it tells whether anything is there without another look.
                durable.create_symlink(move.new, text)
            except FileExistsError:
                status = status_of_home(move.new, move.uid)
                if status is not None:
                    self._finish(move)
                    return status.st_dev, status.st_ino
                self._check_link(move, text)
            try:
                with session_locked(move, self._settings, self._rights) as identity, self._outside.following(move):
                    change_places(move.old, move.new, text)
            except BaseException:
                self._take_back_link(move)
                raise
            self._directories.touched(move.old_directory)
            self._directories.touched(move.new_directory)
            return identity

    def put_back(self, move: Move) -> None:
        """Undo a move that was not published. Holds from the sync of the file systems on.

        Raises:
            SpoolError: it cannot be moved back.
        """
        with durable.storage_errors(move.old), self._outside.following(move.back):
            durable.exchange(move.old, move.new)
            durable.remove(move.new)
            self._directories.touched(move.old_directory)
            self._directories.touched(move.new_directory)

    def _check_link(self, move: Move, text: str) -> None:
        """See that what is at the new place is the link of a move that a crash has interrupted."""
        if leads(move.new, text):
            return
        if leads(move.new, self._directories.text_of_link(move.new, move.old)):
            raise MailboxBusyError(f"{move.new}: whoever looks for the home here still needs the link")
        raise MailboxUnavailableError(f"{move.new}: is there already")

    def _finish(self, move: Move) -> None:
        text = self._directories.text_of_link(move.old, move.new)
        with contextlib.suppress(FileExistsError):
            durable.create_symlink(move.old, text)
        if not leads(move.old, text):
            raise MailboxUnavailableError(f"{move.old}: is there as well as {move.new}")
        with self._outside.following(move):
            self._directories.touched(move.old_directory)
            self._directories.touched(move.new_directory)

    def _take_back_link(self, move: Move) -> None:
        with contextlib.suppress(OSError):
            if leads(move.new, self._directories.text_of_link(move.old, move.new)):
                durable.remove(move.new)


@contextlib.contextmanager
def session_locked(move: Move, settings: SpoolSettings, rights: Rights) -> Iterator[tuple[int, int]]:
    """Keep sessions out of a mailbox that is at its old place, and give device and inode of the home.

    Raises:
        MailboxBusyError: one is open.
        SpoolError: there is no mailbox.
    """
    with opened_home(move.old, move.uid) as (home, _):
        location = mailbox_in(home, move.old, user=move.user, uid=move.uid, gid=move.gid, settings=settings)
        with rights(move):
            lock = SessionLock(location, home=home)
        status = os.fstat(home)
    try:
        yield status.st_dev, status.st_ino
    finally:
        lock.release()


def leads(place: Path, text: str) -> bool:
    """Whether there is a symbolic link that holds this."""
    try:
        return os.readlink(place) == text  # noqa: PTH115 - whose text would be another
    except OSError:
        return False


def change_places(home: Path, link: Path, text: str) -> None:
    """Let a home and the link to it, which holds this text, change places, at one moment where that is possible.

    Holds from the sync of both directories on. Where names cannot be exchanged, a crash may leave nothing where the
    home was.

    Raises:
        OSError: they stay as they are.
    """
    try:
        durable.exchange(link, home)
    except OSError as error:
        if error.errno not in _CANNOT_EXCHANGE:
            raise
        durable.remove(link)
        durable.rename(home, link)
        durable.create_symlink(home, text)


def status_of_home(place: Path, uid: int) -> os.stat_result | None:
    """Look at a home; None if no directory of this user is there."""
    with contextlib.suppress(FileNotFoundError):
        status = place.lstat()
        if stat.S_ISDIR(status.st_mode) and status.st_uid == uid:
            return status
    return None
