"""The index of an mbox: a snapshot on disk, so that a process that never saw the mbox need not read all of it.

It is disposable. It holds nothing but what reading the mbox tells, nobody waits until it is on disk, and whatever is
not, octet for octet, what we once wrote (torn by a crash, of another version, of somebody else) is as good as missing.
Nor does it say that it is true: whoever reads it compares it with the mbox (``spool.mbox.taking``). So a crash that
lost octets of the mbox, a restored backup, or a mailbox that was moved cost reading the mbox once.

Form: a head, which tells what the snapshot has besides its table, then the table (``spool.mbox.table``). The head ends
with a digest of the table, and a digest of all of the head before itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final

from spool import durable
from spool.errors import SpoolError
from spool.mailbox import MailboxLocation
from spool.mbox.blocks import read_at
from spool.mbox.snapshot import CLOSING_OCTETS, Snapshot
from spool.mbox.table import MessageTable
from spool.stamps import Stamp
from spool.state import make_state_directory, state_file

_MAGIC: Final = b"mailspool-mbox-index 1 %b\n" % sys.byteorder.encode("ascii")
_DIGEST_OCTETS: Final = 16
_FIELDS: Final = struct.Struct(f"={len(_MAGIC)}s5q?2q{CLOSING_OCTETS}s{_DIGEST_OCTETS}s")
_HEAD_OCTETS: Final = _FIELDS.size + _DIGEST_OCTETS
_TABLE_OCTETS_MAX: Final = 1024 * 1024 * 1024


class MboxIndex:
    """The index of one mbox. No method raises for what the file is or holds, or because it cannot be written."""

    SUFFIX: ClassVar[str] = ".index"

    def __init__(self, location: MailboxLocation) -> None:
        self._location = location
        self._path = state_file(location, self.SUFFIX)

    def load(self) -> Snapshot | None:
        """Return the snapshot; None if there is none."""
        with contextlib.suppress(OSError, ValueError), _opened(self._path, os.O_RDONLY) as descriptor:
            snapshot, digest = _decode_head(read_at(descriptor, 0, _HEAD_OCTETS))
            octets = os.fstat(descriptor).st_size - _HEAD_OCTETS
            table = read_at(descriptor, _HEAD_OCTETS, min(octets, _TABLE_OCTETS_MAX))
            if _digest(table) == digest:
                return replace(snapshot, table=MessageTable.decode(table))
        return None

    def save(self, snapshot: Snapshot) -> None:
        """Put a snapshot in the place of the one before. A crash leaves one of them, or what is none."""
        table = b"".join(snapshot.table.encode())
        with contextlib.suppress(OSError, SpoolError):
            make_state_directory(self._location)
            durable.put_file(self._path, [_encode_head(snapshot, _digest(table)), table])

    def restamp(self, before: Stamp, after: Stamp) -> None:
        """Give the snapshot another stamp if it has the one before: of the file, only the times have changed."""
        with contextlib.suppress(OSError, ValueError), _opened(self._path, os.O_RDWR) as descriptor:
            snapshot, digest = _decode_head(read_at(descriptor, 0, _HEAD_OCTETS))
            if snapshot.stamp == before:
                durable.write_at(descriptor, _encode_head(replace(snapshot, stamp=after), digest), 0)

    def remove(self) -> None:
        """Remove the index, if there is one."""
        with contextlib.suppress(OSError):
            durable.remove(self._path)


def _encode_head(snapshot: Snapshot, table_digest: bytes) -> bytes:
    fields = _FIELDS.pack(
        _MAGIC, *snapshot.stamp, snapshot.unquote, snapshot.base, snapshot.end, snapshot.closing, table_digest
    )
    return fields + _digest(fields)


def _decode_head(head: bytes) -> tuple[Snapshot, bytes]:
    """Take apart a head: a snapshot without its table, and the table's digest; ValueError if it is none."""
    fields = head[: _FIELDS.size]
    if not head.startswith(_MAGIC) or _digest(fields) != head[_FIELDS.size :]:
        raise ValueError("not the head of an index")
    _, *stamp, unquote, base, end, closing, table_digest = _FIELDS.unpack(fields)
    return Snapshot(Stamp(*stamp), unquote, base, end, closing, MessageTable()), table_digest


def _digest(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()[:_DIGEST_OCTETS]


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
