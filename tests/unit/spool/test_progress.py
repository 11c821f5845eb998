"""Tests of ``spool.progress``."""

from __future__ import annotations

from spool.progress import NoProgress, counted


class Recorded:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def begin(self, what: str, total: int | None) -> None:
        self.told.append((what, total))

    def advance(self, count: int = 1) -> None:
        self.told.append((count,))


def test_each_item_counts_once_the_next_is_asked_for() -> None:
    progress = Recorded()
    items = counted("ab", progress, "letters", 2)
    next(items)
    assert progress.told == [("letters", 2)]
    assert list(items) == ["b"]
    assert progress.told == [("letters", 2), (1,), (1,)]


def test_nobody_needs_to_look() -> None:
    assert list(counted("ab", NoProgress(), "letters")) == ["a", "b"]
