"""How an operation on many mailboxes says how far it is, to whoever shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Progress(Protocol):
    """Told by an operation how far it is. Called from one thread."""

    def begin(self, what: str, total: int | None) -> None:
        """The next part begins: ``what`` is counted (a plural, for people), ``total`` of it if that is known."""

    def advance(self, count: int = 1) -> None:
        """So much more of the present part is done."""


class NoProgress:
    """Shows nothing."""

    def begin(self, what: str, total: int | None) -> None:
        """Nothing."""

    def advance(self, count: int = 1) -> None:
        """Nothing."""


def counted(items: Iterable[Item], progress: Progress, what: str, total: int | None = None) -> Iterator[Item]:
    """Yield the items, and tell of each when the next one is asked for."""
    progress.begin(what, total)
    for item in items:
        yield item
        progress.advance()
