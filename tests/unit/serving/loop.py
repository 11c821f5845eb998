"""A reactor of its own for one test, turned by hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.selectreactor import SelectReactor
from twisted.python.failure import Failure

T = TypeVar("T")
SECONDS = 20.0


class Loop:
    """Waits for Deferreds and conditions by turning a reactor that nobody else knows."""

    def __init__(self) -> None:
        self.reactor: Any = SelectReactor()

    def until(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < end, "nothing happened in time"
            self.reactor.iterate(0.01)

    def wait(self, deferred: Deferred[T]) -> T:
        """The result; raises what the Deferred fails with."""
        results: list[T | Failure] = []
        deferred.addBoth(results.append)
        self.until(lambda: results)
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]
