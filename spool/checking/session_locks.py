"""Keeping POP3 sessions out of a home while something in it is mended, without following a link of its user's."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Final

from spool import durable
from spool.checking.places import DIRECTORY, Place, names_in, through
from spool.errors import MailboxBusyError
from spool.homes import STATE_DIRECTORY
from spool.kernel_locks import open_locked

LOCK_SUFFIX: Final = ".lock"


def concerns_sessions(place: Place) -> bool:
    """Whether a session may use what is at a place: all in a home, but the locks and the directory they lie in.

    Those may have to be mended before they can be locked.
    """
    is_of_locks = place.parts[1:2] == (STATE_DIRECTORY,) and (len(place.parts) == 2 or place.name.endswith(LOCK_SUFFIX))
    return place.home_uid is not None and not is_of_locks


@contextlib.contextmanager
def sessions_locked(state: Place, missing: Sequence[str] = (), owner: tuple[int, int] | None = None) -> Iterator[None]:
    """Hold every session lock of a home.

    A home without a state directory, or with something else in its place, has no session.

    Args:
        state: the state directory.
        missing: names of locks that are made for ``owner`` where they are missing, so that no session begins.
        owner: uid and gid of the user.

    Raises:
        MailboxBusyError: a session is open.
        SpoolError: a lock cannot be taken.
        OSError: the state directory cannot be read, or a lock not be made.
    """
    with contextlib.ExitStack() as locks:
        if (directory := _opened(state)) is not None:
            locks.callback(os.close, directory)
            for name in missing:
                with contextlib.suppress(FileExistsError):
                    durable.create_file(name, (), owner=owner, dir_fd=directory)
            for name in sorted(names_in(directory)):
                if name.endswith(LOCK_SUFFIX):
                    descriptor = open_locked(through(directory) / name)
                    if descriptor is None:
                        raise MailboxBusyError(f"{state.path / name}: held by a session")
                    locks.callback(os.close, descriptor)
        yield


def _opened(state: Place) -> int | None:
    try:
        with state.opened_parent() as parent:
            return os.open(state.name, DIRECTORY, dir_fd=parent)
    except (FileNotFoundError, NotADirectoryError):
        return None
