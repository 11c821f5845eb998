"""Waiting until nobody is adding or removing a user."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from typing import Final

from spool.site import Site

_WAIT_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 0.05


@contextlib.contextmanager
def roster_locked(
    site: Site, *, monotonic: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> Iterator[bool]:
    """Keep the roster as it is for the block, for looking at it twice.

    Yields:
        Whether the lock is held: not if another program held it for half a minute, or it cannot be taken.
    """
    try:
        descriptor = os.open(site.assign_lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        yield True  # nobody has ever changed anything here
        return
    except OSError:
        yield False
        return
    try:
        deadline = monotonic() + _WAIT_SECONDS
        while not (held := _try(descriptor)) and monotonic() < deadline:
            sleep(_PAUSE_SECONDS)
        yield held
    finally:
        os.close(descriptor)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
