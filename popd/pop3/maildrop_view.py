"""One session's view of a snapshot: which messages are marked deleted, and the replies that can be given from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from popd.pop3.listings import list_sizes, list_unique_ids
from popd.pop3.steps import Snapshot

_T = TypeVar("_T")


class MaildropView:
    """A snapshot and the marks of this session. Message numbers count from 1 and never shift.

    The multi-line replies are the snapshot's own while nothing is marked. With marks they are built once and kept until
    a mark changes: clients ask for them several times a session.
    """

    __slots__ = (
        "_listed_sizes",
        "_listed_unique_ids",
        "_listings",
        "_snapshot",
        "deleted",
        "last_accessed",
        "octets",
        "retrieved",
    )

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._listings = snapshot.listings
        self._listed_sizes: bytes | None = None
        self._listed_unique_ids: bytes | None = None
        self.deleted: set[int] = set()
        self.retrieved: set[int] = set()
        self.last_accessed = snapshot.last_accessed
        self.octets = self._listings.octets
        """Wire octets of the messages in view, which are those not marked deleted."""

    @property
    def read_only(self) -> bool:
        """Whether nothing can be deleted, because the snapshot is shared with another session."""
        return self._snapshot.read_only

    def __len__(self) -> int:
        return len(self._listings.wire_octets) - len(self.deleted)

    def __contains__(self, number: int) -> bool:
        return 0 < number <= len(self._listings.wire_octets) and number not in self.deleted

    def __iter__(self) -> Iterator[int]:
        return (number for number, _ in self._in_view(self._listings.wire_octets))

    def size(self, number: int) -> int:
        """Wire octets of a message in view."""
        return self._listings.wire_octets[number - 1]

    def unique_id(self, number: int) -> str:
        """Unique-id of a message in view."""
        return self._listings.unique_ids[number - 1]

    def list_sizes(self) -> bytes:
        """The whole reply to LIST."""
        if not self.deleted:
            return self._listings.sizes_reply
        if self._listed_sizes is None:
            self._listed_sizes = list_sizes(self._in_view(self._listings.wire_octets), len(self), self.octets)
        return self._listed_sizes

    def list_unique_ids(self) -> bytes:
        """The whole reply to UIDL."""
        if not self.deleted:
            return self._listings.unique_ids_reply
        if self._listed_unique_ids is None:
            self._listed_unique_ids = list_unique_ids(self._in_view(self._listings.unique_ids))
        return self._listed_unique_ids

    def retrieve(self, number: int) -> None:
        """Note that RETR has sent a message in view."""
        self.retrieved.add(number)
        self.last_accessed = max(self.last_accessed, number)

    def delete(self, number: int) -> None:
        """Mark a message in view."""
        self.deleted.add(number)
        self.octets -= self.size(number)
        self.last_accessed = max(self.last_accessed, number)
        self._forget_listings()

    def reset(self) -> None:
        """Unmark all, and set LAST back to what it was when the session began (RFC 1225)."""
        self.deleted.clear()
        self.octets = self._listings.octets
        self.last_accessed = self._snapshot.last_accessed
        self._forget_listings()

    def _in_view(self, values: Sequence[_T]) -> Iterable[tuple[int, _T]]:
        return (pair for pair in enumerate(values, 1) if pair[0] not in self.deleted)

    def _forget_listings(self) -> None:
        self._listed_sizes = None
        self._listed_unique_ids = None
