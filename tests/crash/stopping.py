"""Runs an operation in a process that ends after its first, second, … file operation, until it gets to the end.

Every change of the disk is a file operation of ``spool.durable``, which makes it as ``os.<name>`` or
``system_calls.<name>``. In a forked child both are replaced by something that counts and, at its number, ends the
process as SIGKILL would: nothing is cleaned up, locks fall, and what was done before stays done. A write counts twice,
because it can be torn in the middle.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, Final, Generic, Protocol, TypeVar

from spool import durable, system_calls

_CHANGES: Final = frozenset(
    {
        "chmod",
        "chown",
        "exchange",
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
        "sync_file_system",
        "unlink",
        "utime",
        "write",
    }
)
_WRITES: Final = frozenset({"pwrite", "write"})
_STOPPED: Final = 77
STOPS_MAX: Final = 200  # an operation of more file operations than that would be no subject for this way of testing

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
        assert allowed <= STOPS_MAX, "the operation does not come to an end"
        state = prepare(allowed)
        completed = run_in_child(partial(arrange, state), allowed)
        yield Stopped(state, allowed, completed)
        if completed:
            return


class Recorder(Protocol):
    """What the counted calls are made through, as on an ``os``, and what hears of the end."""

    def __getattr__(self, name: str) -> Any:
        """Return what ``os`` has of this name, or what stands for it."""

    def end(self) -> None:
        """Called in the child when the operation is stopped or has completed, before the process ends."""


class _PlainOs:
    def __getattr__(self, name: str) -> Any:
        return getattr(os, name) if hasattr(os, name) else getattr(system_calls, name)

    def end(self) -> None:
        """Leave everything as it is."""


def run_in_child(
    arrange: Callable[[], Callable[[], object]], allowed: int, *, recorder: Callable[[], Recorder] = _PlainOs
) -> bool:
    """Run an operation in a child that is stopped after ``allowed`` file operations.

    Args:
        arrange: does, undisturbed, what comes before the operation, and returns the operation.
        allowed: the file operations the operation may make.
        recorder: called between the two; makes what the file operations are made through.

    Returns:
        Whether the operation got to its end.
    """
    child = os.fork()
    if child == 0:
        try:
            operation = arrange()
            calls = recorder()
            stopping = _StoppingOs(calls, allowed)
            setattr(durable, "os", stopping)  # noqa: B010 - a module may not be assigned to, mypy says
            setattr(durable, "system_calls", stopping)  # noqa: B010
            operation()
            calls.end()
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

    def __init__(self, calls: Recorder, allowed: int) -> None:
        self._calls = calls
        self._allowed = allowed

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._calls, name)
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
            self._calls.end()
            os._exit(_STOPPED)
