"""What a process remembers of mailboxes from one session to the next, so that an unchanged one need not be read again.

A kept snapshot is never the truth. Whoever finds one compares the stamp in it (``spool.stamps``) with the mailbox as it
is now, and uses it only if they agree; losing one costs reading the mailbox once. So the store may drop any of them at
any time, and drops those longest unused when there is no room.

A kept snapshot must not be changed: several sessions may have it, in threads of their own, while it is kept. What a
session finds out beyond it stays with the session; what should be known to the next one is kept as a new snapshot.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, NamedTuple, TypeVar

_S = TypeVar("_S")


class _Kept(NamedTuple):
    snapshot: object
    octets: int


class KeptSnapshots:
    """Snapshots by keys, bounded in octets. Safe for threads; a fork gets a copy of its own.

    A key says what a snapshot is of: the ``MailboxLocation``, where it is of a mailbox.

    Args:
        octets_max: how many octets of memory all of them may take together; with 0 nothing is kept.
    """

    def __init__(self, octets_max: int) -> None:
        self._octets_max = octets_max
        self._octets = 0
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()  # the longest unused first
        self._lock = threading.Lock()

    @property
    def octets(self) -> int:
        """How many octets of memory are taken, as those who kept the snapshots estimated them."""
        return self._octets

    def find(self, key: Hashable, kind: type[_S]) -> _S | None:
        """Return the snapshot kept for a key, None if there is none of this class; it stays kept."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or not isinstance(kept.snapshot, kind):
                return None
            self._kept.move_to_end(key)
            return kept.snapshot

    def keep(self, key: Hashable, snapshot: object, octets: int) -> None:
        """Keep a snapshot in the place of the key's former one; one that is larger than all the room is not kept.

        Args:
            key: what it is of.
            snapshot: what ``find`` shall return; nobody changes it any more.
            octets: about how much memory it takes.
        """
        with self._lock:
            self._drop(key)
            if octets > self._octets_max:
                return
            while self._octets + octets > self._octets_max:
                self._drop(next(iter(self._kept)))
            self._kept[key] = _Kept(snapshot, octets)
            self._octets += octets

    def forget(self, key: Hashable) -> None:
        """Drop what is kept for a key, if anything is."""
        with self._lock:
            self._drop(key)

    def _drop(self, key: Hashable) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._octets -= kept.octets


KEEPS_NOTHING: Final = KeptSnapshots(0)
"""For whoever opens a mailbox once, as commands do."""
