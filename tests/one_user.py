"""One user's mailbox as tests of every kind use it: by what ``spool.mailbox`` promises, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from spool.mailbox import Delivered, Envelope, Mailbox, MailboxKind, MailboxLocation, Maildrop
from spool.mailboxes import open_mailbox
from spool.quota.limits import Limit
from spool.settings import SpoolSettings
from tests.mailbox_locations import location_in

ENVELOPE = Envelope("sender@example.org", "yasuhi@example.org")


class Message(NamedTuple):
    """A message as a session shows it."""

    unique_id: str
    octets: bytes


@dataclass(frozen=True, slots=True)
class OneUser:
    """A user with a mailbox in ``home``, perhaps with a limit. Every method opens it anew, as another process would."""

    home: Path
    kind: MailboxKind
    limit: Limit | None = None

    @property
    def location(self) -> MailboxLocation:
        return location_in(self.home, self.kind)

    @property
    def mailbox(self) -> Mailbox:
        # Unquoted, so that the octets delivered are those that are read; no patience, so that a deadlock shows.
        settings = SpoolSettings(root=self.home.parent, mbox_unquote=True, mbox_lock_seconds=0.5)
        return open_mailbox(self.location, settings, limit=self.limit)

    def deliver(self, *messages: bytes) -> list[Delivered]:
        return [self.mailbox.deliver([message], ENVELOPE) for message in messages]

    def messages(self) -> list[Message]:
        """All messages, read in a session that changes nothing."""
        maildrop = self.mailbox.open_maildrop()
        try:
            return read_all(maildrop)
        finally:
            maildrop.close()

    def session(self, *, deleted: AbstractSet[int] = frozenset(), retrieved: AbstractSet[int] = frozenset()) -> None:
        """A session that ends with QUIT."""
        maildrop = self.mailbox.open_maildrop()
        try:
            maildrop.commit(deleted=deleted, retrieved=retrieved)
        finally:
            maildrop.close()


def read(maildrop: Maildrop, number: int) -> bytes:
    """Read one message whole."""
    reader = maildrop.open_message(number)
    try:
        return b"".join(iter(reader.read, b""))
    finally:
        reader.close()


def read_all(maildrop: Maildrop) -> list[Message]:
    """Read all messages of a session, and see that the sizes it tells are exact."""
    messages = [Message(unique_id, read(maildrop, number)) for number, unique_id in enumerate(maildrop.unique_ids, 1)]
    assert [len(message.octets) for message in messages] == list(maildrop.wire_octets)
    return messages


def numbered(numbers: Iterable[int]) -> list[bytes]:
    """Messages that differ, in stored form with LF."""
    return [f"Subject: message {number}\n\nbody {number}\n".encode() for number in numbers]


def on_the_wire(message: bytes) -> bytes:
    """A message of LF lines as it must be read."""
    return message.replace(b"\n", b"\r\n")
