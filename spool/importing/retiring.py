"""Taking an old mbox out of use once it is empty, though programs may still hold it open and wait for its lock.

Whoever opened it before gets the lock after us and appends to a file that nobody looks at any more. So it keeps a
second name, *aside*; what comes to it is carried like other old mail, by this run and the next ones; and that name goes
when it has been empty for longer than any program waits for a lock.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from spool import durable
from spool.carrying.mbox_source import MboxSource
from spool.errors import MailboxUnavailableError
from spool.importing.old_spool import aside_of

ASIDE_SECONDS: Final = 3600.0
"""Longer than mail programs wait for a lock: procmail's 1024 seconds are the most known."""


def put_aside(mbox: MboxSource, *, link_to: Path | None) -> bool:
    """Take an old mbox's name from it if it is empty: put a link in its place, or nothing.

    Holds when it returns. A crash before that may leave it both names (``undo_half``).

    Args:
        mbox: the old mbox.
        link_to: where a link shall lead.

    Returns:
        Whether it was done: not if there is mail in it again, or a former one is still aside.

    Raises:
        SpoolError: it could not be done.
    """
    path = mbox.place.path
    aside = aside_of(path)
    with mbox.locked() as opened, durable.storage_errors(path):
        if opened.records() or not path.exists() or os.path.lexists(aside):
            return False
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            durable.link(path.name, aside.name, source_dir_fd=directory, target_dir_fd=directory)
            durable.sync_file(directory)
            if link_to is None:
                durable.remove(path.name, dir_fd=directory)
                durable.sync_file(directory)
            else:
                durable.make_symlink(path, str(link_to))
        finally:
            os.close(directory)
    return True


def remove_aside(aside: MboxSource, *, clock: Callable[[], float] = time.time) -> bool:
    """Remove what was put aside, if it is empty and nobody can be waiting for its lock any more.

    Returns:
        Whether it is gone.

    Raises:
        SpoolError: it could not be removed.
    """
    path = aside.place.path
    with aside.locked() as opened, durable.storage_errors(path), contextlib.suppress(FileNotFoundError):
        status = path.lstat()
        # Neither written to nor given this name lately.
        if opened.records() or clock() - max(status.st_ctime, status.st_mtime) < ASIDE_SECONDS:
            return False
        durable.remove(path)
        durable.sync_directory(path.parent)
    return True


def leads_to(link: Path, target: Path) -> bool:
    """Whether an old mbox's place has our link.

    Raises:
        MailboxUnavailableError: it is a link to somewhere else, which nobody follows.
    """
    if not link.is_symlink():
        return False
    if (found := link.readlink()) != target:
        raise MailboxUnavailableError(f"{link}: is a link to {found}, not to {target}; it is not followed")
    return True


def undo_half(mbox: Path) -> None:
    """Leave an old mbox one name, if a crash in ``put_aside`` left it two. Holds when it returns.

    Raises:
        SpoolError: it cannot be done.
    """
    aside = aside_of(mbox)
    with durable.storage_errors(mbox), contextlib.suppress(FileNotFoundError):
        if os.path.samestat(mbox.lstat(), aside.lstat()):
            durable.remove(aside)
            durable.sync_directory(aside.parent)
