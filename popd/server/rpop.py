"""RPOP's conditions that concern the network: who may be believed when it says which user it is (RFC 1225).

In this order: the peer's address is in the trusted networks; its source port is one that only root could bind; the
port is the peer's own; and the peer's host names are those whose forward lookup leads back to its address. The
authenticator then compares names and users with ``hosts.equiv`` and the user's ``.rhosts``.

The third condition holds by construction: sessions are plain TCP from the peer, the PROXY protocol is not spoken. An
address translator or a TCP proxy makes the source port worthless, so none may lie in the trusted networks.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Container, Sequence
from typing import Any, Final, Protocol, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.error import TimeoutError as NetworkTimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.names import dns
from twisted.names.error import DNSNameError, DomainError, ResolverError

from accounts.requests import Peer
from popd.server.settings import IPNetwork

LOOKUP_SECONDS: Final = 10.0
HOST_NAMES_MAX: Final = 4  # names of one address that are looked up; more are nobody's honest set-up
# What DNS gives may hold any octets; these go into the log and into comparisons with .rhosts.
_HOST_NAME: Final = re.compile(rb"[a-z0-9_.-]{1,253}")

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Answer: TypeAlias = tuple[Sequence[dns.RRHeader], Sequence[dns.RRHeader], Sequence[dns.RRHeader]]


class NameResolver(Protocol):
    """The part of ``twisted.names.client.Resolver`` that is needed; names as there."""

    def lookupPointer(self, name: str) -> Deferred[_Answer]:  # noqa: N802
        """PTR records."""

    def lookupAddress(self, name: str) -> Deferred[_Answer]:  # noqa: N802
        """A records."""

    def lookupIPV6Address(self, name: str) -> Deferred[_Answer]:  # noqa: N802
        """AAAA records."""


class RpopDeniedError(Exception):
    """The peer is not one that RPOP believes; the message says which condition failed."""


class NamesUnavailableError(Exception):
    """The name service gave no answer, neither yes nor no."""


class RpopGate:
    """Decides who may use RPOP, and finds out what the peer is called."""

    def __init__(
        self,
        networks: Sequence[IPNetwork],
        ports: Container[int],
        resolver: NameResolver,
        clock: IReactorTime,
    ) -> None:
        self._networks = networks
        self._ports = ports
        self._resolver = resolver
        self._clock = clock

    def trusts(self, address: str) -> bool:
        """Whether ``address`` is in the trusted networks; to all others RPOP is an unknown command."""
        found = _parse(address)
        return found is not None and any(found in network for network in self._networks)

    async def hosts_of(self, peer: Peer) -> tuple[str, ...]:
        """Check the peer and find its verified names.

        Returns:
            Names in lower case whose forward lookup contains the peer's address. None is an answer too: such a peer
            can be named by its address only.

        Raises:
            RpopDeniedError: the peer's network or source port is not trusted.
            NamesUnavailableError: the name service failed. Going on with the address alone would let a peer that can
                make it fail slip past a ``-host`` line.
        """
        address = _parse(peer.address)
        if address is None or not self.trusts(peer.address):
            raise RpopDeniedError("address not in rpop_networks")
        if peer.port not in self._ports:
            raise RpopDeniedError("source port not in rpop_ports")
        lookup = Deferred.fromCoroutine(self._verified_names(address))
        try:
            return await lookup.addTimeout(LOOKUP_SECONDS, self._clock)
        except (ResolverError, DomainError, NetworkTimeoutError, DeferredTimeoutError, OSError) as error:
            raise NamesUnavailableError(f"{type(error).__name__} looking up the peer's names") from error

    async def _verified_names(self, address: IPAddress) -> tuple[str, ...]:
        found = await self._records(self._resolver.lookupPointer(address.reverse_pointer), dns.PTR)
        octets = [bytes(record.name.name).rstrip(b".").lower() for record in found[:HOST_NAMES_MAX]]
        names = [name.decode("ascii") for name in octets if _HOST_NAME.fullmatch(name)]
        return tuple([name for name in names if address in await self._addresses(name, address)])

    async def _addresses(self, name: str, like: IPAddress) -> list[IPAddress]:
        if like.version == 4:
            records = await self._records(self._resolver.lookupAddress(name), dns.A)
        else:
            records = await self._records(self._resolver.lookupIPV6Address(name), dns.AAAA)
        return [ipaddress.ip_address(record.address) for record in records]

    @staticmethod
    async def _records(lookup: Deferred[_Answer], kind: int) -> list[Any]:
        try:
            answers, _, _ = await lookup
        except DNSNameError:
            return []  # NXDOMAIN: the name service is sure that there is nothing
        return [answer.payload for answer in answers if answer.type == kind]


def _parse(address: str) -> IPAddress | None:
    """Take an address as the transport reports it apart; an IPv4 peer of an IPv6 socket is the IPv4 peer it is."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None  # a UNIX socket
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found
