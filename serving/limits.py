"""How many connections each address, and all together, may have open in this process."""

from __future__ import annotations

import ipaddress
from typing import Final, Protocol

_IPV6_NETWORK_BITS: Final = 64  # what one subscriber usually gets; they can use any address in it


class ConnectionAdmission(Protocol):
    """Decides which connections are let in."""

    def connected(self, address: str) -> bool:
        """Count a connection if one more is allowed, and say whether it is."""

    def disconnected(self, address: str) -> None:
        """A connection that was counted is over."""


class ConnectionLimits:
    """Counts open connections: at most ``per_address`` of one address, and ``connections`` in all.

    Addresses are text, as the kernel writes them; an IPv6 address counts as its /64. What is no IP address, such as the
    other end of a UNIX socket, counts in the total only. Both methods take constant time; memory is bounded by the
    connections that are open.
    """

    def __init__(self, *, connections: int, per_address: int) -> None:
        self._connections_max = connections
        self._per_address_max = per_address
        self._open = 0
        self._by_peer: dict[str | int, int] = {}

    @property
    def open_connections(self) -> int:
        """How many connections are counted now."""
        return self._open

    def connected(self, address: str) -> bool:
        """Count a connection if one more is allowed, and say whether it is."""
        if self._open >= self._connections_max:
            return False
        peer = _peer(address)
        if peer is not None:
            count = self._by_peer.get(peer, 0)
            if count >= self._per_address_max:
                return False
            self._by_peer[peer] = count + 1
        self._open += 1
        return True

    def disconnected(self, address: str) -> None:
        """A connection that was counted is over."""
        self._open -= 1
        peer = _peer(address)
        if peer is None:
            return
        left = self._by_peer[peer] - 1
        if left:
            self._by_peer[peer] = left
        else:
            del self._by_peer[peer]


def _peer(address: str) -> str | int | None:
    """Whom an address belongs to: an IPv4 address to itself, an IPv6 address to its network."""
    if ":" in address:
        return int(ipaddress.IPv6Address(address)) >> _IPV6_NETWORK_BITS
    return address if address[:1].isdigit() else None
