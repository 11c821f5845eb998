"""SASL conversations that wait for their client, bounded in number and in time.

When a worker has too many, new ones are refused and those under way go on: one peer cannot end another's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from accounts.bounded_table import BoundedTable
from accounts.requests import Peer
from accounts.sasl.steps import Conversation

LIFETIME_SECONDS: Final = 180.0  # somebody types a password in between
CONVERSATIONS_MAX: Final = 20_000

ConversationKey: TypeAlias = tuple[int, int]
"""Worker's connection and the number it gave the conversation."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A conversation, with whom, and since when."""

    conversation: Conversation
    peer: Peer
    began: float


class Conversations:
    """The conversations of one authenticator."""

    def __init__(self, conversations_max: int = CONVERSATIONS_MAX) -> None:
        self._conversations_max = conversations_max
        # Put in once, when it begins: the oldest are those that began first.
        self._waiting: BoundedTable[ConversationKey, Waiting] = BoundedTable(conversations_max)

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: ConversationKey, waiting: Waiting) -> bool:
        """Keep a new conversation; returns False if there is no room for it."""
        self._expire(waiting.began)
        if len(self._waiting) >= self._conversations_max:
            return False
        self._waiting.put(key, waiting)
        return True

    def get(self, key: ConversationKey, now: float) -> Waiting | None:
        """A conversation that waits; None if it is unknown, over, or too old."""
        self._expire(now)
        return self._waiting.get(key)

    def remove(self, key: ConversationKey) -> None:
        """Forget a conversation."""
        self._waiting.remove(key)

    def worker_gone(self, client_id: int) -> None:
        """Forget all conversations of a worker."""
        self._waiting.remove_where(lambda key: key[0] == client_id)

    def _expire(self, now: float) -> None:
        self._waiting.remove_oldest_while(lambda waiting: now - waiting.began > LIFETIME_SECONDS)
