"""Runs an operation again and again, and lets its first, second, … system call fail.

Unlike ``tests.crash.stopping`` this counts every call that touches files, those that only look too, wherever it is
made; and the process goes on, so what matters is what the operation does then: which error it raises, and what it
leaves behind.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Final

_CALLS: Final = (
    *("fchmod", "fstat", "fsync", "ftruncate", "link", "listdir", "lstat", "mkdir", "open", "pread", "pwrite", "read"),
    *("readlink", "rename", "scandir", "stat", "unlink", "utime", "write"),
)
_FAILURES_MAX: Final = 300  # an operation of more calls than that would be no subject for this way of testing


class Failing:
    """Makes one call fail: that which comes after ``permitted`` others. ``failed`` names it afterwards."""

    def __init__(self, permitted: int, error_number: int) -> None:
        self.failed: str | None = None
        self._left = permitted
        self._error_number = error_number

    @contextlib.contextmanager
    def during(self) -> Iterator[None]:
        """Let the call fail in the block, and be as before behind it."""
        originals = {name: getattr(os, name) for name in _CALLS}
        for name, call in originals.items():
            setattr(os, name, self._counted(name, call))
        try:
            yield
        finally:
            for name, call in originals.items():
                setattr(os, name, call)

    def _counted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **names: Any) -> Any:
            self._left -= 1
            if self._left == -1:
                self.failed = name
                raise OSError(self._error_number, os.strerror(self._error_number))
            return call(*arguments, **names)

        return counted


def each_failure(error_number: int) -> Iterator[Failing]:
    """Yield a ``Failing`` for each call in turn; the last is one that nothing was left for."""
    for permitted in count():
        assert permitted <= _FAILURES_MAX, "the operation does not come to an end"
        failing = Failing(permitted, error_number)
        yield failing
        if failing.failed is None:
            return
