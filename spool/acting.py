"""Acting as a user, for programs that root runs on the mailboxes of many.

What is done in a home is done with its owner's rights: files made there are theirs, and a link planted there leads
nowhere that they could not go themselves. Only for programs of one thread: the rights are the whole process's.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from spool.mailbox import MailboxLocation


@contextlib.contextmanager
def acting_as_owner(location: MailboxLocation) -> Iterator[None]:
    """Have, in the block, the effective uid and gid of a mailbox's owner and no other group, if this process is root.

    A process that is not root keeps the rights it has.
    """
    if os.geteuid() != 0:
        yield
        return
    groups, gid = os.getgroups(), os.getegid()
    os.setgroups([])
    os.setegid(location.gid)
    os.seteuid(location.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)
