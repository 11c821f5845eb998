"""What every mailbox kind promises: delivery, and a maildrop for one POP3 session.

``spool.maildir`` and ``spool.mbox`` keep these promises; ``tests/contract`` holds both to them. All of it blocks.
Message numbers count from 1, as on the wire; a sequence over messages is indexed from 0.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from spool.names import UserName


class MailboxKind(enum.Enum):
    """The formats a mailbox can have."""

    MAILDIR = "maildir"
    MBOX = "mbox"


@dataclass(frozen=True, slots=True)
class MailboxLocation:
    """Where one user's mail lies, resolved once (``spool.homes.locate_mailbox``) and trusted from then on.

    ``state`` is the directory for our own files about this mailbox (locks, unique-ids, indexes), inside the home so
    that it moves with it; ``state_name`` begins their names there and does not change when the home moves. ``found``
    says that something was there when it was resolved: if it is missing later, it was moved, and nobody makes it anew
    or takes it for empty. It is no part of which mailbox this is.
    """

    user: UserName
    uid: int
    gid: int
    home: Path
    path: Path
    kind: MailboxKind
    state: Path
    state_name: str
    found: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Envelope:
    """The envelope of one message in one mailbox. ``sender`` is None for the null sender ``<>``."""

    sender: str | None
    recipient: str | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a delivery left: the storage name (Maildir) or the place (mbox), and its size on the wire and as stored."""

    place: str
    wire_octets: int
    stored_octets: int


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """What is known of a stored message besides its octets.

    Attributes:
        stored_octets: what it takes in the mailbox.
        arrived_at: when it was delivered, in seconds since 1970; None if nothing says so.
        fetched: whether it had been read when the session began: a Maildir message by its flag; for an mbox, which has
            one mark, every message up to the last that was read (``Maildrop.last_accessed``).
    """

    stored_octets: int
    arrived_at: float | None
    fetched: bool


class MessageReader(Protocol):
    """Reads one message in its wire form: CRLF line ends, nothing dot-stuffed, a line end at the end if not empty."""

    def read(self) -> bytes:
        """Return the next piece, about 64 KiB and at most twice that; empty at the end.

        Raises:
            MailboxChangedError: the message is no longer what the snapshot saw.
            MailboxUnavailableError: it cannot be read.
        """

    def close(self) -> None:
        """Release the open file. May be called twice."""


class Maildrop(Protocol):
    """A mailbox as one POP3 session sees it: a snapshot under the session lock.

    Deliveries go on beside it and never wait for it. Nothing changes in the mailbox before ``commit``.
    Not safe for two threads at once; the caller takes turns.
    """

    @property
    def wire_octets(self) -> Sequence[int]:
        """Size of each message as RETR sends it, without dot-stuffing (RFC 1939 section 11)."""

    @property
    def unique_ids(self) -> Sequence[str]:
        """What UIDL shows for each message: 1 to 70 printable octets, all different, durable before they are seen."""

    @property
    def last_accessed(self) -> int:
        """Highest message number that was read in an earlier session, 0 if none (LAST of RFC 1225)."""

    @property
    def read_only(self) -> bool:
        """Whether the snapshot is shared without the session lock (``busy = "share"``); commit then refuses."""

    def open_message(self, number: int) -> MessageReader:
        """Open message ``number``; its reader stays valid until the maildrop is closed.

        Raises:
            MailboxChangedError: it is gone, or another program rewrote the mailbox.
            MailboxUnavailableError: it cannot be read.
        """

    def facts(self, number: int) -> MessageFacts:
        """Tell what is known of message ``number``.

        Raises:
            MailboxChangedError: it is gone, or another program rewrote the mailbox.
            MailboxUnavailableError: it cannot be looked at.
        """

    def commit(self, *, deleted: AbstractSet[int], retrieved: AbstractSet[int]) -> None:
        """Remove ``deleted`` and mark ``retrieved`` as read: what UPDATE does (RFC 1939 section 6).

        Holds when it returns: removal is on disk. A crash before that may leave some deleted messages in place, but
        never removes another one, and never one that arrived meanwhile.

        Raises:
            MailboxChangedError: another program rewrote the mailbox; nothing was removed.
            SpoolError: some deleted messages may not have been removed.
        """

    def close(self) -> None:
        """Release the session lock and every file. May be called twice, and from another thread."""


class Mailbox(Protocol):
    """One user's mailbox of some kind."""

    location: MailboxLocation

    def deliver(self, message: Iterable[bytes], envelope: Envelope) -> Delivered:
        """Store one message durably; ``message`` yields its octets with whatever line ends and cuts they have.

        Holds when it returns: the message is on disk, file and directory. A crash before that leaves it whole or
        not at all (an mbox may keep a torn end, which the next delivery closes off).

        Raises:
            SpoolError: it was not delivered.
        """

    def open_maildrop(self, *, share: bool = False) -> Maildrop:
        """Take the session lock and a snapshot.

        Args:
            share: if another session holds the lock, read without it (``Maildrop.read_only``) instead of refusing.

        Raises:
            MailboxBusyError: another session holds it, or another program's lock was not free in time.
            SpoolError: it cannot be opened now.
        """
