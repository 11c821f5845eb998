"""As whom the programs of users run who share a uid (``[delivery] program_user``), and what they may use."""

from __future__ import annotations

import pwd
from collections.abc import Set as AbstractSet

from delivery.program_keeper import ProgramLimits
from delivery.settings import DeliverySettings
from serving.privileges import Identity
from spool.errors import SettingsError


def program_identity(name: str | None, *, uid_min: int, mail_uids: AbstractSet[int]) -> Identity | None:
    """Say who that is, None if no account is named.

    Args:
        name: of the account.
        uid_min: ``[service] uid_min``.
        mail_uids: who can read mail: the service, and the owner of the spool.

    Raises:
        SettingsError: there is no such account, or none of its programs could be kept from mail.
    """
    if name is None:
        return None
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        raise SettingsError(f"[delivery] program_user: there is no account {name!r}") from None
    if account.pw_uid == 0 or account.pw_gid == 0:
        raise SettingsError(f"[delivery] program_user: {name} is root, or of root's group")
    if account.pw_uid < uid_min:
        raise SettingsError(
            f"[delivery] program_user: {name} has uid {account.pw_uid}, below [service] uid_min = {uid_min}"
        )
    if account.pw_uid in mail_uids:
        raise SettingsError(f"[delivery] program_user: {name} can read everybody's mail; name another account")
    return Identity(account.pw_uid, account.pw_gid)


def program_limits(delivery: DeliverySettings) -> ProgramLimits:
    """Say what a program may use."""
    return ProgramLimits(
        delivery.program_seconds, delivery.program_memory_octets, delivery.program_processes, delivery.program_files
    )
