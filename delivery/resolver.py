"""Who controls an address: ``assign.cdb`` says so, and control files what this user may have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from delivery.environment import Recipient
from delivery.errors import NotLocalError
from delivery.program_shares import ProgramShare, ProgramShares
from delivery.settings import DeliverySettings
from spool.assign_directory import AssignDirectory
from spool.control_files import Locals
from spool.errors import DirectoryUnavailableError, MalformedNameError
from spool.names import DomainName, UserName
from spool.quota.limits import Limit
from spool.quota.table import Limits
from spool.settings import SpoolSettings
from spool.site import Site

_NO_DOMAIN: Final = "localhost"  # of an address without a domain, where control/locals names none


@dataclass(frozen=True, slots=True)
class Account:
    """Who controls an address.

    Attributes:
        recipient: the address, and whose it is.
        wildcard: the prefix of the wildcard in ``assign`` that took it, None for an exact assignment.
        limit: what their mailbox may hold, None for no limit.
        programs: how many of their deliveries may run programs at once, and how long each of these may take.
    """

    recipient: Recipient
    wildcard: str | None
    limit: Limit | None
    programs: ProgramShare


class AddressResolver:
    """Looks addresses of one site up. Safe for threads.

    Args:
        site: the site.
        spool: its settings.
        delivery: its settings.
    """

    def __init__(self, site: Site, spool: SpoolSettings, delivery: DeliverySettings) -> None:
        self._domains = Locals(site.locals)
        self._directory = AssignDirectory(site.assign_compiled)
        self._limits = Limits(site.quotas, spool.quota_limit)
        self._shares = ProgramShares(site.programs, delivery)

    def resolve(self, address: str) -> Account:
        """Say who controls an address. Opens nothing of theirs.

        Args:
            address: a local part, or an address of a local domain.

        Raises:
            NoSuchUserError: nobody does.
            SpoolError: nobody can tell now.
        """
        local, at, domain = address.rpartition("@")
        local = local if at else address
        if at and not self._domains.contains(DomainName(domain.lower())):
            raise NotLocalError(f"{domain} is not a local domain")
        match = self._directory.lookup(local)
        record = match.record
        try:
            user = UserName(record.user)
        except MalformedNameError as error:
            # The address was found; it is the record that is wrong, and the operator can mend it.
            raise DirectoryUnavailableError(f"assign: {error}") from error
        if not at:
            domain = str(min(self._domains.all(), default=_NO_DOMAIN, key=str))
        recipient = Recipient(local, domain, user, record.uid, record.gid, record.home, record.dash, record.extension)
        return Account(recipient, match.prefix, self._limits.of(user), self._shares.of(user))
