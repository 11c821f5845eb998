"""An old mbox together with the temporary drop that qpopper may have left beside it.

qpopper moves a user's mail into the drop for a session, and what is left of it back, in front of what has arrived
since. When it was killed the drop stays, and at any moment of that moving some messages are in both files, the last one
in the file that was being written perhaps not whole. So the mail of the drop comes first, then that of the mbox without
what the drop has as well; and a torn beginning of a message that the other file has whole is dropped.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from spool.carrying.carry import Found
from spool.carrying.from_mbox import FoundRecord
from spool.carrying.mbox_source import MboxSource, NoMbox, OpenMbox
from spool.mbox.blocks import read_at

_PIECE_OCTETS: Final = 256 * 1024


class MboxWithDrop:
    """Both files as one source (``spool.carrying.carry.Source``).

    While qpopper has a session it holds a lock on the drop; then the source is busy.
    """

    def __init__(self, mbox: MboxSource, drop: MboxSource) -> None:
        self._mbox = mbox
        self._drop = drop

    @contextlib.contextmanager
    def locked(self) -> Iterator[OpenMboxWithDrop]:
        """Hold the locks of both, in qpopper's order (``spool.carrying.carry.Source.locked``)."""
        with self._drop.locked() as drop, self._mbox.locked() as mbox:
            yield OpenMboxWithDrop(mbox, drop)


@dataclass(frozen=True, slots=True)
class OpenMboxWithDrop:
    """Both files, locked (``spool.carrying.carry.OpenSource``)."""

    mbox: OpenMbox | NoMbox
    drop: OpenMbox | NoMbox

    def find(self) -> Found:
        """Say what they hold together (``spool.carrying.carry.OpenSource.find``)."""
        in_drop, in_mbox = self.drop.find(), self.mbox.find()
        from_drop, from_mbox = list(in_drop.messages), list(in_mbox.messages)
        if _is_torn_copy(self.drop, self.mbox):
            from_drop.pop()
        if _is_torn_copy(self.mbox, self.drop):
            from_mbox.pop()
        doubled = Counter(message.identity for message in from_drop)
        for message in from_mbox:
            if doubled[message.identity]:
                doubled[message.identity] -= 1
            else:
                from_drop.append(message)
        most = Counter(in_drop.taken) | Counter(in_mbox.taken)
        return Found(from_drop, list(most.elements()))

    def remove(self, taken: Sequence[str]) -> None:
        """Remove from both (``spool.carrying.carry.OpenSource.remove``)."""
        self.drop.remove(taken)
        self.mbox.remove(taken)


def _is_torn_copy(one: OpenMbox | NoMbox, other: OpenMbox | NoMbox) -> bool:
    """Whether the last message of a file is the beginning, and not the whole, of a message in the other one."""
    records = one.records()
    if not records or isinstance(one, NoMbox) or isinstance(other, NoMbox):
        return False
    return any(_is_beginning(one, records[-1], other, whole) for whole in other.records())


def _is_beginning(one: OpenMbox, torn: FoundRecord, other: OpenMbox, whole: FoundRecord) -> bool:
    octets = torn.record.end - torn.record.start
    if octets >= whole.record.end - whole.record.start:
        return False
    for position in range(0, octets, _PIECE_OCTETS):
        piece = min(_PIECE_OCTETS, octets - position)
        if read_at(one.descriptor, torn.record.start + position, piece) != read_at(
            other.descriptor, whole.record.start + position, piece
        ):
            return False
    return True
