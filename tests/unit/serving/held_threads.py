"""Threads that run only when the test says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from serving.threads import Raised

T = TypeVar("T")


class HeldThreads:
    """Keeps functions until ``go``; then calls one and delivers its outcome, all in the caller's thread."""

    def __init__(self) -> None:
        self.held: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []
        self.inside = False

    def run(self, function: Callable[[], T], done: Callable[[T | Raised], None]) -> None:
        self.held.append((function, done))

    def go(self, index: int = 0) -> None:
        """Let one function run and return."""
        function, done = self.held.pop(index)
        self.inside = True
        try:
            outcome = function()
        except Exception as error:
            outcome = Raised(error)
        finally:
            self.inside = False
        done(outcome)

    def go_on(self) -> None:
        """Let functions run until none is left."""
        while self.held:
            self.go()
