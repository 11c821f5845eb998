"""What is remembered of an mbox between sessions: in this process (``spool.kept_snapshots``), and in its index.

Both hold earlier snapshots and are believed only after a look at the mbox (``spool.mbox.taking``). An mbox that was
written to a moment ago may be written to once more without having another time (``spool.stamps``); so its times are not
believed, and what is remembered of it is looked at as if it had grown since. Only the time of the last write counts for
that. That of the last change of status is always young when we have just marked the mbox as read; to hide behind it, a
program would have to write within the same tick and set the time of the last write back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from spool.kept_snapshots import KeptSnapshots
from spool.mailbox import MailboxLocation
from spool.mbox.index import MboxIndex
from spool.mbox.snapshot import Snapshot
from spool.stamps import SETTLED_NS, Stamp, stamp_of_file
from spool.state import state_file
from spool.unique_ids import UniqueIdFile

INDEX_OCTETS: Final = 1024 * 1024
"""So much mail must be missing in an index before it is written anew: reading so much takes 5 ms. Most mboxes are
smaller, and have no index."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A snapshot, the unique-ids of its messages, the stamp of what is written about these, and the index's end."""

    snapshot: Snapshot
    unique_ids: Sequence[str]
    ids_stamp: Stamp | None
    index_end: int


class MboxMemory:
    """What one session of an mbox finds remembered, and leaves so.

    Args:
        location: of the mailbox.
        kept: what this process remembers.
        writing: whether the session has the lock, and so may write the index.
        clock_ns: nanoseconds since 1970.
    """

    def __init__(
        self, location: MailboxLocation, kept: KeptSnapshots, *, writing: bool, clock_ns: Callable[[], int]
    ) -> None:
        self._location = location
        self._kept = kept
        self._index = MboxIndex(location)
        self._writing = writing
        self._clock_ns = clock_ns
        self._found: _Kept | None = None
        self._current: _Kept | None = None

    def find(self) -> Snapshot | None:
        """Return what is remembered; None if nothing is."""
        self._found = self._kept.find(self._location, _Kept)
        if self._found is None and (snapshot := self._index.load()) is not None:
            self._found = _Kept(snapshot, (), None, snapshot.end)
        return self._found.snapshot if self._found else None

    def assign_ids(self, snapshot: Snapshot) -> Sequence[str]:
        """Return the unique-ids of a snapshot's messages, and remember both.

        Raises:
            SpoolError: the unique-ids cannot be read.
        """
        ids_stamp = stamp_of_file(state_file(self._location, UniqueIdFile.SUFFIX))
        found = self._found
        same = found is not None and found.snapshot.table is snapshot.table
        if found and same and found.unique_ids and found.ids_stamp == ids_stamp:
            unique_ids = found.unique_ids
        else:
            unique_ids = UniqueIdFile(self._location).assign(snapshot.keys)
        # The index reaches as far as before, unless all was read again.
        index_end = found.index_end if found and (same or snapshot.read_from) else 0
        self._keep(_Kept(snapshot, unique_ids, ids_stamp, index_end))
        return unique_ids

    def mark(self, before: Stamp, after: Stamp) -> None:
        """Note that we have changed nothing but the mbox's times."""
        current = self._current
        if current and current.snapshot.stamp == before and after.octets == before.octets:
            self._index.restamp(before, after)
            self._keep(replace(current, snapshot=replace(current.snapshot, stamp=after)))

    def cut(self, left: Snapshot) -> None:
        """Note, after ``forget``, that of a session's messages these are still where they were."""
        if left.table:
            self._keep(_Kept(left, (), None, 0))

    def forget(self) -> None:
        """Believe nothing that is remembered any more."""
        self._current = None
        self._kept.forget(self._location)
        if self._writing:
            self._index.remove()

    def _keep(self, kept: _Kept) -> None:
        snapshot = kept.snapshot
        if snapshot.stamp.mtime_ns > self._clock_ns() - SETTLED_NS:
            # As if the file had been shorter: it is then looked at as one that has grown.
            stamp = snapshot.stamp._replace(octets=snapshot.stamp.octets - 1)
            kept = replace(kept, snapshot=(snapshot := replace(snapshot, stamp=stamp)))
        if self._writing and snapshot.end - kept.index_end >= INDEX_OCTETS:
            self._index.save(snapshot)
            kept = replace(kept, index_end=snapshot.end)
        ids_octets = 0 if kept.unique_ids is snapshot.keys else sum(map(len, kept.unique_ids)) + 57 * len(snapshot)
        self._kept.keep(self._location, kept, snapshot.octets + ids_octets)
        self._current = kept
