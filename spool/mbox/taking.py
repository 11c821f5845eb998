"""Taking a snapshot of an mbox: all of it, or what is new since an earlier snapshot.

**When an earlier snapshot is believed.** If inode, size, time of the last write and time of the last change of status
are what they were, and so are the octets at the end: nobody can write to a file without changing one of them, short of
setting the clock back; those who set the time of the last write themselves, as mail readers do so that mail stays new,
change the other one by that. The device is not compared: its number may be another one after each start of the machine.

If the file has become longer, as by every delivery, both times have changed too, and tell nothing about the octets that
were there before. Then the octets at the old end must be there, and at as many places as is cheap a From_ line where a
message began. Whoever rewrites an mbox moves what follows; to deceive us he would have to make the file longer, leave
its last messages where they were, and change no more before them than hides between samples. Then a client is told
wrong sizes, and an error at RETR: each message is compared with its key while it is sent (``spool.mbox.maildrop``), and
again before it is removed. After such an error nothing is believed any more (``spool.mbox.memory``).

If the size is the same and a time is not, somebody may have written anywhere, and everything is read again.

**What is read again of a file that has grown.** Messages that were complete stay what they were, but for two cases. The
last one may go on in what is new, unless a blank line and a From_ line follow. And a Content-Length that was longer
than its message, and not believed because nothing ended there, may be right now.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Final

from spool.mbox.blocks import BlockReader
from spool.mbox.from_line import LINE_OCTETS_MAX, MARK
from spool.mbox.locks import HeldMbox
from spool.mbox.scan import boundary_at, is_separator, scan, sound_end
from spool.mbox.scanning import SCANNING_PROCESSES, ScanningProcesses
from spool.mbox.snapshot import Snapshot, closing_of
from spool.mbox.table import MessageTable
from spool.stamps import Stamp, stamp_of

_SAMPLES: Final = 64
_BOUNDARY_OCTETS: Final = LINE_OCTETS_MAX + 2  # so much behind the end of a message decides whether it ends there


def take_snapshot(
    mbox: HeldMbox,
    *,
    unquote: bool,
    known: Snapshot | None = None,
    processes: ScanningProcesses = SCANNING_PROCESSES,
) -> Snapshot:
    """Find all messages of an mbox.

    Args:
        mbox: the file, locked.
        unquote: whether to undo mboxrd quoting; decides sizes, not keys.
        known: an earlier snapshot of the same file, or of any.
        processes: read what is much.

    Returns:
        What reading the whole file would find; ``known`` itself if the file is unchanged.

    Raises:
        MailboxUnavailableError: it is not an mbox.
        OSError: it cannot be read.
    """
    status = os.fstat(mbox.descriptor)
    stamp = stamp_of(status)
    reader = BlockReader(mbox.descriptor, status.st_size, before_block=mbox.keep_alive)
    reader.end = sound_end(reader)
    begun = None
    if known is not None and known.unquote == unquote and _holds(known, reader, stamp):
        if known.end == reader.end:
            return known if known.stamp == stamp else replace(known, stamp=stamp, read_from=known.end)
        begun = _begun(known, reader, stamp)
    if begun is None:
        begun = _empty(reader, stamp, unquote=unquote)
    table = begun.table.followed_by(processes.read(reader, begun.end, reader.end, unquote=unquote))
    closing = closing_of(reader, reader.end)
    return replace(begun, end=reader.end, closing=closing, table=table, read_from=begun.end if begun.table else 0)


def still_holds(known: Snapshot, mbox: HeldMbox) -> bool:
    """Whether all that was known of a locked mbox is still where it was.

    Raises:
        OSError: it cannot be read.
    """
    status = os.fstat(mbox.descriptor)
    return _holds(known, BlockReader(mbox.descriptor, status.st_size, before_block=mbox.keep_alive), stamp_of(status))


def _holds(known: Snapshot, reader: BlockReader, stamp: Stamp) -> bool:
    """Whether what was known is still where it was."""
    if known.end > reader.end or closing_of(reader, known.end) != known.closing:
        return False
    if known.stamp._replace(device=stamp.device) == stamp:
        return True
    return stamp.inode == known.stamp.inode and stamp.octets > known.stamp.octets and _samples_hold(known, reader)


def _samples_hold(known: Snapshot, reader: BlockReader) -> bool:
    starts = known.table.starts
    samples = starts[:: max(len(starts) // _SAMPLES, 1)]
    return all(reader.read(start, start + len(MARK)) == MARK for start in samples)


def _begun(known: Snapshot, reader: BlockReader, stamp: Stamp) -> Snapshot | None:
    """Return what of a snapshot stays true in a file that has grown; it ends where to read on.

    Returns:
        None if all must be read again.
    """
    table, end = known.table, known.end
    for _, unused_end in table.unused():
        if unused_end > end - _BOUNDARY_OCTETS and boundary_at(reader, unused_end) is not None:
            return None
    if not (table and table.ends[-1] < end and is_separator(reader, end, after_blank_line=True)):
        if len(table) < 2:
            return None
        end = table.starts[-1]
        table = table.first(len(table) - 1)
    return replace(known, stamp=stamp, end=end, table=table)


def _empty(reader: BlockReader, stamp: Stamp, *, unquote: bool) -> Snapshot:
    """Return a snapshot without messages; it ends where the first one begins."""
    first = next(scan(reader), None)
    start = reader.end if first is None else first.start
    base = 0
    if first is not None and first.hints.internal:
        start = base = first.stop
    return Snapshot(stamp, unquote, base, start, b"", MessageTable())
