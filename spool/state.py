"""Where our own files about one mailbox lie: locks, unique-ids, indexes, in ``{home}/.mailspool``."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from spool import durable
from spool.mailbox import MailboxLocation


def state_file(location: MailboxLocation, suffix: str) -> Path:
    """Name one of a mailbox's files, such as the one with the suffix ``.lock``; it need not exist."""
    return location.state / f"{location.state_name}{suffix}"


def make_state_directory(location: MailboxLocation) -> None:
    """Make the directory for our files, for its owner only, unless it is there. Never makes the home.

    Holds when it returns. A crash before that may leave the directory with a narrower mode.

    Raises:
        SpoolError: it cannot be made (the home is missing, full, or not ours), or something else has its name.
    """
    with durable.storage_errors(location.state):
        try:
            _check(location.state)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                durable.make_directory(location.state)
            _check(location.state)


def _check(directory: Path) -> None:
    # A link here would put our files into a place that somebody else chose.
    os.close(os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC))
