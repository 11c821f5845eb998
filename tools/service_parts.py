"""What every process of one generation of the service is built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from serving.certificates import TlsMaterial
from serving.privileges import Identity
from serving.settings import ListenerSettings
from serving.sockets import ListenerPlan, SocketAccess
from spool.site import Site
from tools.site_settings import SiteSettings


@dataclass(frozen=True, slots=True)
class ServiceParts:
    """Read in the supervisor before it forks, so that the others need no right to read keys.

    ``tls`` holds the material of each listener that has any. ``ticket_key`` is None where nobody needs to become
    another user. ``connections`` is how many each worker may have open. ``submission_domain`` is the domain of the
    envelope sender of submitted mail. ``trusted`` are the uids that deliver to anybody over a local socket.
    ``programs`` is who runs the programs of users who share a uid, None if nobody does.
    """

    site: Site
    settings: SiteSettings
    service: Identity
    tls: Mapping[ListenerPlan, TlsMaterial]
    connections: int
    submission_domain: str
    trusted: frozenset[int]
    ticket_key: bytearray | None = field(repr=False)
    programs: Identity | None = None


def plan_of(listener: ListenerSettings) -> ListenerPlan:
    """Say what is served where, without its files."""
    access = SocketAccess(listener.mode, listener.socket_group)
    return ListenerPlan(listener.protocol, listener.socket_address, access)
