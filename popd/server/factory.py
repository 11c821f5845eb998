"""Makes a protocol for each connection of one POP3 listener, and decides what that connection may do."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import ServerFactory

from accounts.requests import Peer
from popd.pop3.steps import SessionPolicy
from popd.pop3.timestamps import make_timestamp
from popd.server.events import SessionLog
from popd.server.protocol import Pop3Protocol
from popd.server.service import Pop3Service
from serving.limits import ConnectionAdmission
from serving.peers import UNIX_ADDRESS, peer_of

CleartextPolicy: TypeAlias = Literal["never", "loopback", "always"]

TIMESTAMP_RANDOM_OCTETS: Final = 16
_PASSWORD_MECHANISMS: Final = frozenset({"PLAIN", "LOGIN"})
_TURNED_AWAY: Final = b"-ERR [SYS/TEMP] too many connections from your address\r\n"


class Pop3Factory(ServerFactory):
    """The Twisted factory of one listener."""

    noisy = False

    def __init__(
        self,
        service: Pop3Service,
        *,
        admission: ConnectionAdmission,
        cleartext: CleartextPolicy,
        implicit_tls: bool,
        client_certificates: bool,
        host_name: str,
        random_octets: Callable[[int], bytes],
        epoch_seconds: Callable[[], float],
    ) -> None:
        """Prepare for connections.

        Args:
            service: what they share.
            admission: who is let in.
            cleartext: where passwords may cross a connection without TLS.
            implicit_tls: every connection begins with a handshake (RFC 8314); the caller wraps the transport.
            client_certificates: handshakes ask clients for a certificate, so that EXTERNAL is of use.
            host_name: for APOP time stamps.
            random_octets: as ``os.urandom``; for APOP time stamps.
            epoch_seconds: as ``time.time``; for APOP time stamps.
        """
        self._service = service
        self._admission = admission
        self._cleartext = cleartext
        self._implicit_tls = implicit_tls
        self._client_certificates = client_certificates
        self._host_name = host_name
        self._random_octets = random_octets
        self._epoch_seconds = epoch_seconds
        self._open: set[Pop3Protocol] = set()
        self._timestamp()  # a host name it cannot take is trouble now, not at each connection

    def drain(self) -> None:
        """Close the connections that are not logged in."""
        for connection in tuple(self._open):
            connection.drain()

    def buildProtocol(self, addr: IAddress | None) -> TwistedProtocol:  # noqa: N802
        """Make the protocol of a connection from ``addr``."""
        totals = self._service.totals
        peer = peer_of(addr, tls=self._implicit_tls)
        if not self._admission.connected(peer.address):
            totals.connections_turned_away += 1
            SessionLog(self._service.log, peer).turned_away()
            return _TurnedAway(peer)
        totals.connections += 1
        totals.connections_open += 1

        def ended() -> None:
            totals.connections_open -= 1
            self._admission.disconnected(peer.address)
            self._open.discard(connection)

        connection = Pop3Protocol(self._service, self._policy(peer), peer, ended)
        self._open.add(connection)
        return connection

    def _policy(self, peer: Peer) -> SessionPolicy:
        settings, offer = self._service.settings, self._service.logins.client.offer
        cleartext = self._cleartext == "always" or (self._cleartext == "loopback" and _is_local(peer.address))
        return SessionPolicy(
            timestamp=self._timestamp() if offer.apop else None,
            tls_available=self._service.tls is not None,
            tls_active=self._implicit_tls,
            user_cleartext=cleartext,
            mechanisms_cleartext=tuple(
                name for name in offer.mechanisms if _works_in_the_clear(name, passwords=cleartext)
            ),
            mechanisms_tls=tuple(name for name in offer.mechanisms if name != "EXTERNAL" or self._client_certificates),
            last=settings.last,
            rpop=self._service.logins.rpop.trusts(peer.address),
            xmit=bool(settings.xtnd_xmit),
            login_delay_seconds=settings.login_delay_seconds,
            expire_days=settings.expire_days,
        )

    def _timestamp(self) -> bytes:
        return make_timestamp(self._random_octets(TIMESTAMP_RANDOM_OCTETS), int(self._epoch_seconds()), self._host_name)


class _TurnedAway(TwistedProtocol):
    """A connection too many: told so, unless it expects a handshake first, and closed."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def connectionMade(self) -> None:  # noqa: N802
        assert self.transport is not None, "a transport has just connected"
        if not self._peer.tls:
            self.transport.write(_TURNED_AWAY)
        # Before a handshake Twisted makes an abort of it.
        self.transport.loseConnection()


def _is_local(address: str) -> bool:
    return address == UNIX_ADDRESS or ipaddress.ip_address(address).is_loopback


def _works_in_the_clear(mechanism: str, *, passwords: bool) -> bool:
    if mechanism.endswith("-PLUS") or mechanism == "EXTERNAL":
        return False
    return passwords or mechanism not in _PASSWORD_MECHANISMS
