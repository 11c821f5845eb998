"""Working in a user's home with that user's rights, and getting one's own back.

A program that root runs over many users' homes must neither be led astray by what users put there, nor leave files that
only root can open. With the user's effective ids the kernel sees to both: what the user may not do, we may not, and
what we make is theirs. The real user id stays root's, so that they can neither signal nor trace us meanwhile.

The ids are the whole process's: only for programs of one thread.
"""

from __future__ import annotations

import contextlib
import grp
import os
from collections.abc import Iterator, Sequence

from spool.errors import HomeUnavailableError, SettingsError
from spool.settings import SpoolSettings


@contextlib.contextmanager
def acting_as(uid: int, gid: int, *, groups: Sequence[int], uid_min: int) -> Iterator[None]:
    """Have the rights of a user for the block, if we are root; else only check that we are that user.

    Args:
        uid: the user's.
        gid: the group that files made get.
        groups: supplementary groups (``dotlock_groups``).
        uid_min: nobody below is acted for.

    Raises:
        HomeUnavailableError: the uid is too low, or it is another user's and we are not root.
    """
    if uid == os.geteuid():
        yield
        return
    if os.geteuid() != 0:
        raise HomeUnavailableError(f"uid {uid}: only root can work as others, and this is uid {os.geteuid()}")
    if uid < uid_min:
        raise HomeUnavailableError(f"uid {uid} is below [service] uid_min = {uid_min}")
    groups_before, gid_before = os.getgroups(), os.getegid()
    try:
        # The groups first, the uid last: each step needs the rights that the next one gives up.
        os.setgroups(groups)
        os.setegid(gid)
        os.seteuid(uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid_before)
        os.setgroups(groups_before)


def dotlock_groups(settings: SpoolSettings) -> tuple[int, ...]:
    """Return the supplementary groups for work on mailboxes: that of the directory of dot-locks, if one is set.

    Raises:
        SettingsError: there is no such group.
    """
    if settings.dotlock_group is None:
        return ()
    try:
        return (grp.getgrnam(settings.dotlock_group).gr_gid,)
    except KeyError as error:
        raise SettingsError(f"spool.dotlock_group: there is no group {settings.dotlock_group}") from error
