"""Where our own files about one mailbox lie: locks, unique-ids, indexes, in ``{home}/.mailspool``."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

from spool import durable
from spool.mailbox import MailboxLocation

# A link here would put our files into a place that somebody else chose.
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def state_file(location: MailboxLocation, suffix: str) -> Path:
    """Name one of a mailbox's files, such as the one with the suffix ``.lock``; it need not exist."""
    return location.state / f"{location.state_name}{suffix}"


def make_state_directory(location: MailboxLocation) -> None:
    """Make the directory for our files, for its owner only, unless it is there. Never makes the home.

    Holds and raises as ``open_state_directory``.
    """
    os.close(open_state_directory(location))


def open_state_directory(location: MailboxLocation, *, home: int | None = None) -> int:
    """Open the directory for our files, made for its owner only if it is not there. Never makes the home.

    Holds when it returns. A crash before that may leave the directory with a narrower mode.

    Args:
        location: of the mailbox.
        home: the home, if it is open; else it is looked up once more.

    Returns:
        The descriptor, the caller's to close.

    Raises:
        SpoolError: it cannot be made (the home is missing, full, or not ours), or something else has its name.
    """
    with durable.storage_errors(location.state):
        place = location.state if home is None else location.state.name
        try:
            return os.open(place, _DIRECTORY, dir_fd=home)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                durable.make_directory(location.state)
            return os.open(place, _DIRECTORY, dir_fd=home)
