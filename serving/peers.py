"""Who is at the other end of a connection."""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import Final, cast

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IUNIXTransport
from twisted.internet.unix import Server

from accounts.requests import Peer

UNIX_ADDRESS: Final = "unix"  # as accounts.requests.Peer has it
_CREDENTIALS: Final = struct.Struct("iII")  # struct ucred of unix(7): pid, uid, gid


def peer_of(address: IAddress | None, *, tls: bool) -> Peer:
    """Say who is at the other end: an IPv4 peer of an IPv6 socket is the IPv4 peer it is."""
    if not isinstance(address, IPv4Address | IPv6Address):
        return Peer(UNIX_ADDRESS, 0, tls)
    found = ipaddress.ip_address(address.host)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return Peer(str(mapped or found), address.port, tls)


def uid_of_transport(transport: object) -> int | None:
    """Say as whom the process at the other end of a transport connected, where that is a UNIX socket."""
    if not IUNIXTransport.providedBy(transport):
        return None
    return uid_of_peer(cast("Server", transport).getHandle())


def uid_of_peer(connection: socket.socket) -> int | None:
    """Say as whom the process at the other end of a UNIX connection connected; None of any other connection.

    What it has become since makes no difference.
    """
    if connection.family != socket.AF_UNIX:
        return None
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid: int = _CREDENTIALS.unpack(credentials)[1]
    return uid
