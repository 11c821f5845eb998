"""Makes a protocol for each connection of one LMTP listener."""

from __future__ import annotations

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import ServerFactory

from mta.server.protocol import LmtpProtocol
from mta.server.service import LmtpService
from mta.smtp.replies import TOO_MANY_CONNECTIONS
from mta.smtp.steps import SessionPolicy
from serving.limits import ConnectionAdmission
from serving.peers import peer_of


class LmtpFactory(ServerFactory):
    """The Twisted factory of one listener.

    Args:
        service: what connections share.
        admission: who is let in.
        host_name: what the server calls itself.
    """

    noisy = False

    def __init__(self, service: LmtpService, *, admission: ConnectionAdmission, host_name: str) -> None:
        self._service = service
        self._admission = admission
        settings = service.settings
        self._policy = SessionPolicy(
            host_name=host_name,
            tls_available=service.tls is not None,
            tls_active=False,
            message_octets_max=settings.message_octets,
            recipients_max=settings.recipients,
            refuse_bare_line_ends=settings.bare_line_ends == "refuse",
        )
        self._open: set[LmtpProtocol] = set()

    def drain(self) -> None:
        """End the connections that are between two messages."""
        for connection in tuple(self._open):
            connection.drain()

    def buildProtocol(self, addr: IAddress | None) -> TwistedProtocol:  # noqa: N802
        """Make the protocol of a connection from ``addr``."""
        peer = peer_of(addr, tls=False)
        shown = f"{peer.address}:{peer.port}" if peer.port else peer.address
        if not self._admission.connected(peer.address):
            self._service.log.warn("turned away: peer={peer}", peer=shown)
            return _TurnedAway()
        totals = self._service.totals
        totals.lmtp_connections += 1
        totals.lmtp_connections_open += 1

        def ended() -> None:
            totals.lmtp_connections_open -= 1
            self._admission.disconnected(peer.address)
            self._open.discard(connection)

        connection = LmtpProtocol(self._service, self._policy, shown, ended)
        self._open.add(connection)
        return connection


class _TurnedAway(TwistedProtocol):
    """A connection too many: told so, and closed."""

    def connectionMade(self) -> None:  # noqa: N802
        assert self.transport is not None, "a transport has just connected"
        self.transport.write(TOO_MANY_CONNECTIONS.octets)
        self.transport.loseConnection()
