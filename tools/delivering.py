"""One delivery for ``spool-deliver``: whose maildrop, as whom, and the message into it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO, Final

from serving.privileges import Identity, PrivilegeError, become
from serving.settings import ServiceSettings
from spool.acting_as import dotlock_groups
from spool.assign import AssignRecord
from spool.assign_directory import AssignDirectory
from spool.control_files import Locals
from spool.errors import (
    DirectoryUnavailableError,
    HomeUnavailableError,
    MalformedNameError,
    NoSuchUserError,
)
from spool.homes import locate_mailbox
from spool.mailbox import Envelope
from spool.mailboxes import open_mailbox
from spool.names import DomainName, UserName
from spool.quota.table import Limits
from spool.settings import SpoolSettings
from spool.settings_file import read_settings_file, table_to
from spool.site import Site

READ_OCTETS: Final = 256 * 1024


def deliver(site: Site, address: str, *, sender: str | None, message: BinaryIO) -> None:
    """Deliver a message; as root this process becomes the recipient, for good, before it opens anything of theirs.

    Holds when it returns (``spool.mailbox.Mailbox.deliver``).

    Args:
        site: the site.
        address: a local part, or an address of a local domain.
        sender: the envelope sender, None for the null sender.
        message: the message as stored, with LF line ends; read to its end.

    Raises:
        SpoolError: it was not delivered; its status says whether to try again.
    """
    file = site.settings_file
    tables = read_settings_file(file)
    settings = table_to(SpoolSettings, tables.get("spool", {}), file=file, section="spool")
    service = table_to(ServiceSettings, tables.get("service", {}), file=file, section="service")
    record = AssignDirectory(site.assign_compiled).lookup(_local_part(address, site)).record
    user = _owner(record)
    if record.uid != os.geteuid():
        _become_owner(record, service.uid_min, dotlock_groups(settings))
    location = locate_mailbox(user, uid=record.uid, gid=record.gid, home=record.home, settings=settings)
    limit = Limits(site.quotas, settings.quota_limit).of(user)
    mailbox = open_mailbox(location, settings, limit=limit)
    mailbox.deliver(_pieces(message), Envelope(sender=sender, recipient=address))


def _local_part(address: str, site: Site) -> str:
    local, at, domain = address.rpartition("@")
    if not at:
        return address
    if not Locals(site.locals).contains(DomainName(domain.lower())):
        raise NoSuchUserError(f"{domain} is not a local domain")
    return local


def _owner(record: AssignRecord) -> UserName:
    try:
        return UserName(record.user)
    except MalformedNameError as error:
        # The address was found; it is the record that is wrong, and the operator can mend it.
        raise DirectoryUnavailableError(f"assign: {error}") from error


def _become_owner(record: AssignRecord, uid_min: int, groups: tuple[int, ...]) -> None:
    if record.uid < uid_min:
        raise HomeUnavailableError(f"{record.home}: uid {record.uid} is below [service] uid_min = {uid_min}")
    try:
        become(Identity(record.uid, record.gid, groups))
    except PrivilegeError as error:
        raise HomeUnavailableError(f"{record.home}: {error}") from error


def _pieces(message: BinaryIO) -> Iterator[bytes]:
    while piece := message.read(READ_OCTETS):
        yield piece
