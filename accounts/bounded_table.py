"""A table that cannot grow without bound: what is new drives out what was put in longest ago."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class BoundedTable(Generic[_Key, _Value]):
    """Keeps the ``entries_max`` entries that were put in last, in that order."""

    def __init__(self, entries_max: int) -> None:
        self._entries_max = entries_max
        self._entries: dict[_Key, _Value] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: _Key) -> _Value | None:
        """The value put in under a key, None if there is none."""
        return self._entries.get(key)

    def put(self, key: _Key, value: _Value) -> None:
        """Put a value in as the newest, in the place of an older one under this key."""
        self._entries.pop(key, None)
        if len(self._entries) >= self._entries_max:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = value

    def remove(self, key: _Key) -> _Value | None:
        """Take out the value under a key, None if there is none."""
        return self._entries.pop(key, None)

    def remove_where(self, belongs: Callable[[_Key], bool]) -> None:
        """Take out every entry whose key belongs to a set."""
        for key in [key for key in self._entries if belongs(key)]:
            del self._entries[key]

    def remove_oldest_while(self, old: Callable[[_Value], bool]) -> None:
        """Take out entries, the oldest first, until one is not old."""
        while self._entries and old(self._entries[oldest := next(iter(self._entries))]):
            del self._entries[oldest]
