"""Runs an operation in a process that ends after its first, second, … file operation, until it gets to the end.

Every change of the disk is a file operation of ``spool.durable``, which makes it as ``os.<name>``. In a forked child
that ``os`` is replaced by one that counts and, at its number, ends the process as SIGKILL would: nothing is cleaned up,
locks fall, and what was done before stays done. A write counts twice, because it can be torn in the middle.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, Generic, TypeVar

from spool import durable

_CHANGES: Final = frozenset(
    {
        "chmod",
        "chown",
        "fchmod",
        "fchown",
        "fsync",
        "ftruncate",
        "link",
        "mkdir",
        "open",
        "pwrite",
        "rename",
        "rmdir",
        "symlink",
        "unlink",
        "utime",
        "write",
    }
)
_WRITES: Final = frozenset({"pwrite", "write"})
_STOPPED: Final = 77
_STOPS_MAX: Final = 200  # an operation of more file operations than that would be no subject for this way of testing

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Stopped(Generic[State]):
    """What one run left: the state it worked on, how many file operations it was allowed, whether it got to its end."""

    state: State
    allowed: int
    completed: bool


def each_stop(
    prepare: Callable[[int], State], arrange: Callable[[State], Callable[[], object]], *, step: int = 1
) -> Iterator[Stopped[State]]:
    """Stop an operation after each of its file operations in turn; the last run is the one that completes.

    Args:
        prepare: makes a fresh state, the same each time; given the number of the run.
        arrange: does in the child, undisturbed, what comes before the operation, and returns the operation.
        step: with 2, stop after every second file operation only, and so on.
    """
    for allowed in count(1, step):
        assert allowed <= _STOPS_MAX, "the operation does not come to an end"
        state = prepare(allowed)
        completed = _run(state, arrange, allowed)
        yield Stopped(state, allowed, completed)
        if completed:
            return


def _run(state: State, arrange: Callable[[State], Callable[[], object]], allowed: int) -> bool:
    child = os.fork()
    if child == 0:
        try:
            operation = arrange(state)
            setattr(durable, "os", _StoppingOs(allowed))  # noqa: B010 - a module may not be assigned to, mypy says
            operation()
        except BaseException:  # nothing may get from the child into the test runner
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, _STOPPED), f"the operation failed; see the child's traceback ({code})"
    return code == 0


class _StoppingOs:
    """An ``os`` that ends the process after so many changes of the disk."""

    def __init__(self, allowed: int) -> None:
        self._allowed = allowed

    def __getattr__(self, name: str) -> Any:
        value = getattr(os, name)
        if name not in _CHANGES:
            return value
        if name in _WRITES:
            return lambda descriptor, data, *place: self._write(value, descriptor, data, *place)

        def counted(*arguments: Any, **names: Any) -> Any:
            result = value(*arguments, **names)
            self._count()
            return result

        return counted

    def _write(self, write: Callable[..., int], descriptor: int, data: bytes, *place: int) -> int:
        half = len(data) // 2
        written = write(descriptor, data[:half], *place)
        self._count()
        written += write(descriptor, data[half:], *(start + half for start in place))
        self._count()
        return written

    def _count(self) -> None:
        self._allowed -= 1
        if self._allowed == 0:
            os._exit(_STOPPED)
