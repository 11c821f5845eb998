"""What operations on many mailboxes of a site share: the lock, and the directory for what they must remember.

One such operation runs at a time, so that no two of them move or convert the same mailbox. Deliveries, sessions, and
adding or removing a user neither take this lock nor notice it; deleting a user's mail takes it. It is a kernel lock: it
falls with its process.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from spool import durable
from spool.errors import MaintenanceBusyError
from spool.kernel_locks import open_locked
from spool.site import Site


@contextlib.contextmanager
def maintenance(site: Site) -> Iterator[Path]:
    """Hold the lock, and give the directory for journals and undo records, made where it is missing (mode 0700).

    Raises:
        MaintenanceBusyError: another operation runs.
        SpoolError: the directory cannot be made, or the lock not be taken.
    """
    directory = site.maintenance
    with durable.storage_errors(directory):
        with contextlib.suppress(FileExistsError):
            durable.make_directory(directory)
        lock = open_locked(directory / "lock")
    if lock is None:
        raise MaintenanceBusyError(f"{directory}: another maintenance program is running")
    try:
        yield directory
    finally:
        os.close(lock)
