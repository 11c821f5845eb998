"""Who may deliver to whom over LMTP on one site."""

from __future__ import annotations

import pwd

from delivery.resolver import AddressResolver
from mta.server.callers import Callers
from mta.server.settings import LmtpSettings
from serving.privileges import Identity
from spool.errors import SettingsError
from tools.service_parts import ServiceParts


def trusted_uids(settings: LmtpSettings, service: Identity) -> frozenset[int]:
    """Say who delivers to anybody: root, the service itself, and ``[lmtp] trusted_users``.

    Raises:
        SettingsError: there is no such account.
    """
    return frozenset({0, service.uid, *map(_uid_of, settings.trusted_users)})


def callers_of(parts: ServiceParts) -> Callers:
    """Make what tells a worker whom its clients may deliver to."""
    settings = parts.settings
    resolver = AddressResolver(parts.site, settings.spool, settings.delivery)
    return Callers(parts.trusted, lambda address: resolver.resolve(address).recipient.uid)


def _uid_of(account: str) -> int:
    if account.isdecimal():
        return int(account)
    try:
        return pwd.getpwnam(account).pw_uid
    except KeyError:
        raise SettingsError(f"lmtp.trusted_users: there is no account {account}") from None
