"""What ``spool-deliver`` delivers with where no service does it: as root it becomes the recipient."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from delivery.agent import DeliveryAgent, has_own_uid, no_slot_in_dotlock_group, without_slot
from delivery.environment import Recipient, own_variables
from delivery.lmtp_client import without_from_line
from delivery.lone_delivery import LoneDelivery
from delivery.resolver import AddressResolver
from delivery.settings import DeliverySettings
from serving.privileges import Identity, PrivilegeError, become
from serving.settings import ServiceSettings
from spool import durable
from spool.acting_as import dotlock_groups
from spool.errors import HomeUnavailableError
from spool.settings import SpoolSettings
from spool.settings_file import read_settings_file, table_to
from spool.site import Site
from tools.lone_programs import LonePrograms
from tools.program_user import program_identity, program_limits

READ_OCTETS: Final = 256 * 1024


def lone_delivery(site: Site) -> LoneDelivery:
    """Make what delivers. Once it has begun with an address, this process is that user's for good.

    Raises:
        SettingsError: the settings cannot be read, or are wrong.
    """
    file = site.settings_file
    tables = read_settings_file(file)
    settings = table_to(SpoolSettings, tables.get("spool", {}), file=file, section="spool")
    service = table_to(ServiceSettings, tables.get("service", {}), file=file, section="service")
    delivery = table_to(DeliverySettings, tables.get("delivery", {}), file=file, section="delivery")
    programs = _lone_programs(site, settings, service.uid_min, delivery)
    agent = DeliveryAgent(
        site,
        settings,
        delivery,
        has_own_uid=lambda uid: has_own_uid(uid, settings.root),
        program_slot=no_slot_in_dotlock_group if os.geteuid() == 0 and dotlock_groups(settings) else without_slot,
        programs_elsewhere=None if programs is None else programs.taken,
    )
    resolver = AddressResolver(site, settings, delivery)
    return LoneDelivery(resolver, _becoming(service.uid_min, settings, programs), agent)


def pieces(message: BinaryIO) -> Iterator[bytes]:
    """Yield a message read from a stream, to its end, without an mbox's From line."""
    yield without_from_line(message.read(READ_OCTETS))
    while piece := message.read(READ_OCTETS):
        yield piece


def _lone_programs(
    site: Site, settings: SpoolSettings, uid_min: int, delivery: DeliverySettings
) -> LonePrograms | None:
    with durable.storage_errors(settings.root):
        mail_uids = {settings.root.stat().st_uid}
    identity = program_identity(delivery.program_user, uid_min=uid_min, mail_uids=mail_uids)
    return None if identity is None else LonePrograms(identity, program_limits(delivery), own_variables(site.directory))


def _becoming(uid_min: int, settings: SpoolSettings, programs: LonePrograms | None) -> Callable[[Recipient], None]:
    def become_owner(recipient: Recipient) -> None:
        if recipient.uid == os.geteuid():
            return
        if programs is not None and os.geteuid() == 0 and not has_own_uid(recipient.uid, settings.root):
            try:
                programs.start()
            except OSError as error:
                raise HomeUnavailableError(f"{recipient.home}: {error.strerror}") from error
        if recipient.uid < uid_min:
            raise HomeUnavailableError(f"{recipient.home}: uid {recipient.uid} is below [service] uid_min = {uid_min}")
        try:
            become(Identity(recipient.uid, recipient.gid, dotlock_groups(settings)))
        except PrivilegeError as error:
            raise HomeUnavailableError(f"{recipient.home}: {error}") from error

    return become_owner
