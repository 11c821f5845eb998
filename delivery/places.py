"""Mailboxes that instructions name: the user's own, and others at a path of the user's choice.

``follow_links`` is as for ``delivery.home_files``: without it a named mailbox lies below the user's home, and no link
on the way leads out of it.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import Final, assert_never

from delivery.destinations import MaildirFile, MboxFile, OwnMaildrop
from delivery.environment import Recipient
from delivery.errors import InstructionsError
from spool.beneath import open_beneath
from spool.errors import MailboxUnavailableError
from spool.homes import STATE_DIRECTORY, mailbox_in, state_name
from spool.mailbox import Mailbox, MailboxKind, MailboxLocation
from spool.mailboxes import open_mailbox
from spool.quota.limits import Limit
from spool.settings import SpoolSettings

_LOOK: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class Places:
    """Opens the mailboxes of one recipient. To be closed when the deliveries into them are over.

    Args:
        recipient: whose mailboxes.
        home: descriptor of their open home, the caller's.
        settings: of the spool.
        limit: what the user's own maildrop may hold, None for no limit.
        follow_links: whether links may lead out of the home.
    """

    def __init__(
        self,
        recipient: Recipient,
        home: int,
        settings: SpoolSettings,
        *,
        limit: Limit | None = None,
        follow_links: bool,
    ) -> None:
        self._limit = limit
        self._recipient = recipient
        self._home = home
        self._settings = settings
        self._follow_links = follow_links
        self._own_location: MailboxLocation | None = None
        self._directories = contextlib.ExitStack()

    def close(self) -> None:
        """Close the directories that were opened."""
        self._directories.close()

    def open(self, place: OwnMaildrop | MaildirFile | MboxFile) -> Mailbox:
        """Return the mailbox at a place.

        A path to the user's own maildrop is that maildrop. A Maildir must be there; an mbox is made when it is missing.

        Raises:
            InstructionsError: the path leads out of the home, where it may not.
            SpoolError: the place cannot be looked at now.
        """
        match place:
            case OwnMaildrop():
                return open_mailbox(self._own(), self._settings, limit=self._limit)
            case MaildirFile(path):
                kind = MailboxKind.MAILDIR
            case MboxFile(path):
                kind = MailboxKind.MBOX
            case _:
                assert_never(place)
        with contextlib.suppress(MailboxUnavailableError):
            own = self._own()
            if own.kind is kind and _normal(self._recipient.home / path) == _normal(own.path):
                return open_mailbox(own, self._settings, limit=self._limit)
        return open_mailbox(self._named(path, kind), self._settings)

    def _own(self) -> MailboxLocation:
        if self._own_location is None:
            to = self._recipient
            self._own_location = mailbox_in(
                self._home, to.home, user=to.user, uid=to.uid, gid=to.gid, settings=self._settings
            )
        return self._own_location

    def _named(self, path: str, kind: MailboxKind) -> MailboxLocation:
        to = self._recipient
        parent, name = os.path.split(path)
        directory = self._opened(parent or ".")
        if kind is MailboxKind.MAILDIR:
            try:
                os.stat(name or ".", dir_fd=directory, follow_symlinks=False)
            except OSError as error:  # said here, where the path is still the one that the user wrote
                raise MailboxUnavailableError(f"{to.home}: no Maildir {path}: {error.strerror}") from error
        return MailboxLocation(
            user=to.user,
            uid=to.uid,
            gid=to.gid,
            home=to.home,
            path=Path(f"/proc/self/fd/{directory}") / (name or "."),
            kind=kind,
            state=to.home / STATE_DIRECTORY,
            state_name=state_name(_normal(Path(path))),
        )

    def _opened(self, directory: str) -> int:
        try:
            descriptor = (
                os.open(directory, _LOOK, dir_fd=self._home)
                if self._follow_links
                else open_beneath(self._home, self._from_home(directory), _LOOK)
            )
        except OSError as error:
            if error.errno in {errno.EXDEV, errno.ELOOP}:
                raise InstructionsError(f"{directory}: leads out of the home") from error
            raise MailboxUnavailableError(f"{directory}: {error.strerror}") from error
        self._directories.callback(os.close, descriptor)
        return descriptor

    def _from_home(self, directory: str) -> str:
        """Write a directory as seen from the home; one that is not below it is left, for ``open_beneath`` to refuse."""
        path, home = Path(directory), self._recipient.home
        return str(path.relative_to(home)) if path.is_relative_to(home) else directory


def _normal(path: Path) -> str:
    return os.path.normpath(path)
