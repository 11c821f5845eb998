"""Maildrops as a listener sees them: the promises of ``spool.mailbox.Maildrop``, each returning a Deferred.

Two kinds keep them: ``serving.local_maildrops`` runs the blocking code in this process's bulkheads (one-uid sites),
``serving.remote_maildrops`` in a process that has become the user (sites where every user has their own uid). The
listener cannot tell which it has. Message numbers count from 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from twisted.internet.defer import Deferred

from accounts.requests import Granted


class MessageStream(Protocol):
    """One long message, piece by piece in wire form (``spool.mailbox.MessageReader``)."""

    def read(self) -> Deferred[bytes]:
        """The next piece, empty at the end; fails with a SpoolError."""

    def close(self) -> None:
        """Give the message up; needs no answer."""


class OpenMaildrop(Protocol):
    """An opened maildrop. Only one operation is out at a time; ``close`` may come at any time."""

    wire_octets: Sequence[int]
    unique_ids: Sequence[str]
    last_accessed: int
    read_only: bool

    def read_ahead(self, numbers: Sequence[int], octets_max: int) -> Deferred[Sequence[bytes]]:
        """Read whole messages in one hop: the first of ``numbers``, then as many more as fit in ``octets_max``.

        The first must be of at most ``octets_max`` wire octets; longer ones are for ``stream``. The answer holds at
        least one message in wire form, in the order of ``numbers``.
        """

    def stream(self, number: int) -> MessageStream:
        """Read a message in pieces."""

    def head(self, number: int, octets_max: int) -> Deferred[bytes]:
        """The first ``octets_max`` wire octets of a message, or all of a shorter one: for TOP and XTND XLST."""

    def commit(self, deleted: AbstractSet[int], retrieved: AbstractSet[int]) -> Deferred[None]:
        """``spool.mailbox.Maildrop.commit``."""

    def close(self) -> Deferred[None]:
        """Release the session lock; fires when another session may begin. May be called twice."""


class MaildropOpener(Protocol):
    """Opens maildrops of users the authenticator has vouched for."""

    def open(self, granted: Granted, *, share: bool = False) -> Deferred[OpenMaildrop]:
        """Open a user's maildrop; fails with a SpoolError (``MailboxBusyError`` when another session holds it).

        Cancelling the Deferred gives the maildrop back as soon as it is open.
        """
