"""Which files of an old spool are taken for a user's mail, and how they are locked."""

from __future__ import annotations

import os
import pwd
import stat
from collections import Counter
from pathlib import Path
from typing import Final

from spool import durable
from spool.assign import AssignRecord
from spool.carrying.from_mbox import records_of
from spool.carrying.journals import UserJournals
from spool.carrying.mbox_source import MboxPlace, check_alone
from spool.durable import storage_errors
from spool.errors import MailboxUnavailableError
from spool.names import UserName
from spool.settings import SpoolSettings

_KERNEL_LOCKS: Final = ("fcntl", "flock")
_DROP_SECONDS: Final = 0.5  # qpopper holds its drop for a whole session: no use in waiting for it


def place_of_mbox(
    path: Path, user: UserName, record: AssignRecord, settings: SpoolSettings, journals: UserJournals
) -> MboxPlace:
    """Say how to open an old mbox: under the site's mbox locks, and under ``flock``, which qmail takes alone.

    Raises:
        MailboxUnavailableError: it is nothing that may be taken for the user's mail.
    """
    return MboxPlace(
        path=path,
        uid=trusted_owner(path, user, record),
        locks=tuple(dict.fromkeys((*settings.mbox_locks, "flock"))),
        lock_seconds=settings.mbox_lock_seconds,
        stale_seconds=settings.mbox_dotlock_stale_seconds,
        unquote=settings.mbox_unquote,
        journal=journals.removal(path),
    )


def place_beside(
    path: Path, user: UserName, record: AssignRecord, settings: SpoolSettings, journals: UserJournals
) -> MboxPlace:
    """Say how to open a temporary drop, or what was put aside: nobody makes a dot-lock for it.

    Raises:
        MailboxUnavailableError: it is nothing that may be taken for the user's mail.
    """
    return MboxPlace(
        path=path,
        uid=trusted_owner(path, user, record),
        locks=_KERNEL_LOCKS,
        lock_seconds=_DROP_SECONDS,
        stale_seconds=settings.mbox_dotlock_stale_seconds,
        unquote=settings.mbox_unquote,
        journal=journals.removal(path),
    )


def trusted_owner(path: Path, user: UserName, record: AssignRecord) -> int:
    """Return the owner of an old file, if it may be taken for the user's mail.

    Where anybody may make files (``/var/mail`` with mode 1777), it must be the user's: by their record, or by the
    system's accounts, whose uids the old spool still has when the site has only one.

    Raises:
        MailboxUnavailableError: it is no regular file, or could be somebody else's.
    """
    with storage_errors(path):
        try:
            status = path.lstat()
        except FileNotFoundError:
            return record.uid
        shared = path.parent.stat().st_mode & stat.S_IWOTH
    if not stat.S_ISREG(status.st_mode):
        raise MailboxUnavailableError(f"{path}: not a regular file")
    if shared and status.st_uid not in {record.uid, _account(user)}:
        raise MailboxUnavailableError(f"{path}: owner {status.st_uid} is not {user}, and anybody can make files there")
    return status.st_uid


def count_messages(path: Path, *, unquote: bool) -> Counter[str]:
    """Count the messages of an old mbox by their identities, without taking a lock or changing anything.

    Raises:
        MailboxUnavailableError: it cannot be read, is not an mbox, or is somebody else's as well.
    """
    with storage_errors(path):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return Counter()
        try:
            durable.check_regular(descriptor, str(path))
            check_alone(os.fstat(descriptor), path)
            found = records_of(descriptor, first=0, unquote=unquote, keep_alive=lambda: None)
            return Counter(message.identity for message in found)
        finally:
            os.close(descriptor)


def _account(user: UserName) -> int | None:
    try:
        return pwd.getpwnam(user.text).pw_uid
    except KeyError:
        return None
