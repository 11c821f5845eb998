"""A Maildir to put files into and to take snapshots of."""

from __future__ import annotations

import os
import time
from pathlib import Path

from spool.kept_snapshots import KEEPS_NOTHING, KeptSnapshots
from spool.mailbox import MailboxLocation
from spool.maildir.current import current_snapshot
from spool.maildir.directories import MessageDirectories
from spool.maildir.names import UniqueNames
from spool.maildir.snapshot import MaildirSnapshot
from spool.stamps import SETTLED_NS
from tests.mailbox_locations import location_in


class Maildir:
    """A Maildir to put files into and to take snapshots of, as one process or as a new one each time."""

    def __init__(self, home: Path) -> None:
        self.location: MailboxLocation = location_in(home)
        self.directories = MessageDirectories(self.location.path)
        self.kept = KeptSnapshots(1_000_000)
        self.now_ns = time.time_ns() + 3 * SETTLED_NS

    def add(self, name: str, content: bytes = b"x\n", *, mtime: float = 0.0) -> Path:
        path = self.location.path / name
        path.write_bytes(content)
        os.utime(path, (mtime, mtime))
        return path

    def snapshot(self, kept: KeptSnapshots = KEEPS_NOTHING, *, lock: bool = True) -> MaildirSnapshot:
        return current_snapshot(
            self.location,
            self.directories,
            kept,
            make_name=UniqueNames().make if lock else None,
            clock_ns=lambda: self.now_ns,
        )

    def snapshot_again(self) -> MaildirSnapshot:
        return self.snapshot(self.kept)
