"""What became of each message, by what servers said and what sessions saw.

A copy is known by its unique-id, which stays while mailboxes are moved and converted. So a message has as many copies
as there are unique-ids under which its user has seen it, and:

* acknowledged, it has at least one copy, and more only for attempts in doubt: those whose connection broke before the
  reply, or that were not decided in time. Without acknowledgement it has copies for such attempts only;
* a copy goes only by a session that deleted it and said QUIT. If QUIT was answered it is gone, and must not be seen
  again. If not, it may be gone or not.
"""

from __future__ import annotations

import collections
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass
class _Message:
    """One message to one user: how many attempts were acknowledged, and how many are in doubt."""

    acknowledged: int = 0
    doubtful: int = 0


@dataclass
class _Copy:
    """One copy: its message, and what was last known of it."""

    number: int
    removed: bool = False
    maybe_removed: bool = False


@dataclass
class Account:
    """The outcome. ``faults`` must be empty; each tells a message that is lost, doubled, damaged or came back."""

    faults: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


class Ledger:
    """Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: dict[tuple[str, int], _Message] = collections.defaultdict(_Message)
        self._copies: dict[tuple[str, str], _Copy] = {}
        self._faults: list[str] = []
        self.counts: collections.Counter[str] = collections.Counter()

    def count(self, what: str) -> None:
        """Count something that happened."""
        with self._lock:
            self.counts[what] += 1

    # -- deliveries

    def acknowledged(self, user: str, number: int) -> None:
        """A message was taken."""
        with self._lock:
            self._messages[user, number].acknowledged += 1
            self.counts["acknowledged"] += 1

    def refused(self, user: str, number: int) -> None:
        """It was not, for certain: nothing of this attempt may ever be seen."""
        with self._lock:
            self._messages[user, number]
            self.counts["refused for now"] += 1

    def doubtful(self, user: str, number: int) -> None:
        """Nobody said what became of it."""
        with self._lock:
            self._messages[user, number].doubtful += 1
            self.counts["attempts in doubt"] += 1

    # -- sessions

    def seen(self, user: str, unique_id: str, number: int) -> None:
        """A session has read a message."""
        with self._lock:
            self.counts["read"] += 1
            copy = self._copies.setdefault((user, unique_id), _Copy(number))
            if copy.number != number:
                self._faults.append(f"{user}: unique-id {unique_id} was message {copy.number}, and is {number}")
            if copy.removed:
                self._faults.append(f"{user}: message {number} came back after it was removed")
            copy.maybe_removed = False

    def damaged(self, user: str, unique_id: str, octets: bytes) -> None:
        """A session has read something that is none of the messages."""
        with self._lock:
            self._faults.append(f"{user}: {unique_id} is no whole message: {len(octets)} octets, {octets[:60]!r}")

    def removed(self, user: str, unique_ids: Collection[str], *, certain: bool) -> None:
        """A session that deleted these said QUIT, and was answered if it is certain that they are gone."""
        with self._lock:
            self.counts["removed" if certain else "removed in doubt"] += len(unique_ids)
            for unique_id in unique_ids:
                copy = self._copies[user, unique_id]
                copy.removed, copy.maybe_removed = certain, not certain

    # -- the end

    def close(self, remaining: Mapping[str, Collection[str]]) -> Account:
        """Compare.

        Args:
            remaining: the unique-ids that were seen at the end, by user; each was told to ``seen``.
        """
        with self._lock:
            copies: collections.Counter[tuple[str, int]] = collections.Counter()
            for (user, unique_id), copy in self._copies.items():
                copies[user, copy.number] += 1
                there = unique_id in remaining[user]
                if not (there or copy.removed or copy.maybe_removed):
                    self._faults.append(f"{user}: message {copy.number} was seen as {unique_id}, and is gone")
            for key, message in self._messages.items():
                user, number = key
                found = copies.pop(key, 0)
                most = message.acknowledged + message.doubtful
                if found < message.acknowledged:
                    self._faults.append(f"{user}: message {number} was acknowledged and is lost")
                elif found > most:
                    self._faults.append(f"{user}: message {number} has {found} copies, expected at most {most}")
                self.counts["second copies after an attempt in doubt"] += max(0, found - 1)
            self._faults += [f"{user}: message {number} was never sent" for user, number in copies]
            self.counts["still there"] = sum(map(len, remaining.values()))
            return Account(self._faults, dict(self.counts))
