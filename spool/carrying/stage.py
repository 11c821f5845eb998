"""Delivering many messages into a mailbox in use, so that whoever made them can tell after a crash what is done.

Messages are first written, whole and synced, to a *stage* that nobody reads. Then, perhaps after the caller has written
down what they are, they are *published*: each leaves the stage at the very instant it is delivered. So what is still on
the stage was not delivered, and what is not was; publishing again after a crash does the rest, and nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from spool.carrying.message import CarriedMessage


@dataclass(frozen=True, slots=True)
class Staged:
    """One message on the stage.

    Attributes:
        name: its file on the stage, None where all messages are in one.
        key: its key in the mailbox.
        unique_id: what UIDL shall show for it, before it is seen; None if that follows from the key.
    """

    name: str | None
    key: str
    unique_id: str | None


class Stage(Protocol):
    """The stage of one mailbox."""

    def write(self, messages: Iterable[CarriedMessage]) -> Sequence[Staged]:
        """Write messages to the stage, which is empty.

        Holds when it returns. A crash or trouble before that leaves a part of them there, for ``clear``.

        Raises:
            SpoolError: they cannot be read or written.
        """

    def publish(self, staged: Sequence[Staged]) -> None:
        """Deliver what is on the stage, in its order; what is not there any more was delivered before.

        Holds when it returns. A crash before that leaves the rest for the next call.

        Args:
            staged: as ``write`` returned it.

        Raises:
            MailboxBusyError: the mailbox is in use by a program that excludes us.
            SpoolError: not all of it was delivered.
        """

    def clear(self) -> None:
        """Remove what is on the stage and shall not be published. Holds when it returns."""
