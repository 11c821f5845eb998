"""How far a mailbox was read over POP3, for LAST of RFC 1225.

An mbox has no room for it: marking a message as read with ``Status: RO`` would move everything behind it, at every
QUIT. So the unique-id of the highest message that was read is kept in a file of our own. It is a hint to old clients;
it is not synced, and a crash may bring back an older mark or none.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from spool import durable
from spool.mailbox import MailboxLocation
from spool.state import state_file

_SUFFIX: Final = ".read"
_OCTETS_MAX: Final = 72  # the longest unique-id and its line end


def load_read_mark(location: MailboxLocation, unique_ids: Sequence[str]) -> int:
    """Return the number of the message that was marked, 0 if there is none.

    Raises:
        OSError: the mark cannot be read.
    """
    path = state_file(location, _SUFFIX)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        marked = os.read(descriptor, _OCTETS_MAX).decode("latin-1").partition("\n")[0]
    finally:
        os.close(descriptor)
    return unique_ids.index(marked) + 1 if marked in unique_ids else 0


def save_read_mark(location: MailboxLocation, unique_id: str) -> None:
    """Mark a message as the highest that was read. Not synced.

    Raises:
        OSError: it cannot be written.
    """
    descriptor = durable.open_for_update(state_file(location, _SUFFIX), create_mode=0o600)
    try:
        durable.write_at(descriptor, f"{unique_id}\n".encode("ascii").ljust(_OCTETS_MAX, b" "), 0)
    finally:
        os.close(descriptor)
