"""A maildrop in memory for tests of what carries maildrops across processes."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from spool.errors import MailboxChangedError
from spool.mailbox import MessageFacts


class TinyReader:
    def __init__(self, message: bytes) -> None:
        self._message = message
        self.closed = False

    def read(self) -> bytes:
        piece, self._message = self._message[:65536], self._message[65536:]
        return piece

    def close(self) -> None:
        self.closed = True


class TinyMaildrop:
    """Keeps messages, and what was done to it. A message ``gone`` cannot be read."""

    last_accessed = 1
    read_only = False

    def __init__(self, *messages: bytes) -> None:
        self.messages = messages
        self.wire_octets = [len(message) for message in messages]
        self.unique_ids = [f"id-{number}" for number in range(1, len(messages) + 1)]
        self.readers: list[TinyReader] = []
        self.committed: tuple[AbstractSet[int], AbstractSet[int]] | None = None
        self.closed = 0

    def open_message(self, number: int) -> TinyReader:
        if self.messages[number - 1] == b"gone":
            raise MailboxChangedError(f"message {number} is gone")
        self.readers.append(TinyReader(self.messages[number - 1]))
        return self.readers[-1]

    def facts(self, number: int) -> MessageFacts:
        return MessageFacts(len(self.messages[number - 1]), None, fetched=False)

    def commit(self, *, deleted: AbstractSet[int], retrieved: AbstractSet[int]) -> None:
        self.committed = (deleted, retrieved)

    def close(self) -> None:
        self.closed += 1
