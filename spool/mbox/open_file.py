"""A descriptor that one thread may close while another reads from it."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

from spool.errors import MailboxUnavailableError


class OpenFile:
    """Owns a descriptor and closes it once, when nobody uses it.

    A read that hangs must not keep its session from being closed, and a descriptor closed under a read could by then
    be another user's file. So closing only forbids further use; the last user closes.
    """

    __slots__ = ("_closed", "_descriptor", "_lock", "_users")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._users = 0
        self._closed = False

    @contextlib.contextmanager
    def used(self) -> Iterator[int]:
        """Give the descriptor for the block.

        Raises:
            MailboxUnavailableError: it was closed.
        """
        with self._lock:
            if self._closed:
                raise MailboxUnavailableError("the maildrop is closed")
            self._users += 1
        try:
            yield self._descriptor
        finally:
            with self._lock:
                self._users -= 1
                if self._closed and not self._users:
                    os.close(self._descriptor)

    def close(self) -> None:
        """Forbid further use. May be called twice, and from another thread."""
        with self._lock:
            if not self._closed:
                self._closed = True
                if not self._users:
                    os.close(self._descriptor)
