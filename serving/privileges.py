"""Becoming another user, for good, and ending with one's parent.

The only code that changes a process's user, but for ``spool.acting_as``, which takes it back. Whatever does not hold
afterwards is an error: a process that is not who it should be must not go on.
"""

from __future__ import annotations

import ctypes
import os
import signal
from dataclasses import dataclass
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


class PrivilegeError(Exception):
    """This process cannot become, or did not become, the user it should be."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a process is. ``groups`` are the supplementary groups, without ``gid``."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


def become(identity: Identity, *, root_permitted: bool = False) -> None:
    """Become ``identity`` for good: real, effective and saved ids and the groups.

    As an ordinary user this only checks that we are that user already; the groups stay as they are.

    Raises:
        PrivilegeError: uid 0 where it is not permitted, or the change failed or could be taken back.
    """
    if identity.uid == 0 and not root_permitted:
        raise PrivilegeError("refusing to run as uid 0")
    if os.geteuid() != 0:
        if os.getresuid() != (identity.uid,) * 3:
            raise PrivilegeError(f"only root can become uid {identity.uid}; this is uid {os.geteuid()}")
        return
    try:
        # The groups first, the uid last: each step needs the rights that the next one gives up.
        os.setgroups(identity.groups)
        os.setresgid(identity.gid, identity.gid, identity.gid)
        os.setresuid(identity.uid, identity.uid, identity.uid)
    except OSError as error:
        raise PrivilegeError(f"cannot become uid {identity.uid} gid {identity.gid}") from error
    _verify(identity)


def end_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; to be called after ``become``, which undoes it.

    Raises:
        PrivilegeError: the parent, process ``parent``, has ended already, or the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise PrivilegeError("prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        raise PrivilegeError("the parent has ended")


def _verify(identity: Identity) -> None:
    held = (os.getresuid(), os.getresgid(), set(os.getgroups()) - {identity.gid})
    wanted = ((identity.uid,) * 3, (identity.gid,) * 3, set(identity.groups) - {identity.gid})
    if held != wanted:
        raise PrivilegeError(f"became {held}, not {wanted}")
    if identity.uid == 0:
        return
    try:
        os.setuid(0)
    except PermissionError:
        return
    raise PrivilegeError("could become root again")
