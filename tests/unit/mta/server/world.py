"""Deliveries in memory, and a connection to the shell without a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import Logger
from zope.interface import alsoProvides

from delivery.messages import Message
from mta.server.callers import Callers
from mta.server.factory import LmtpFactory
from mta.server.protocol import LmtpProtocol
from mta.server.service import LmtpService
from mta.server.settings import LmtpSettings
from serving.limits import ConnectionLimits
from serving.tls import ServerTls
from spool.errors import NoSuchUserError, QuotaExceededError
from tests.unit.mta.smtp.talk import codes

ERRORS = {"nobody@y": NoSuchUserError("nobody"), "full@y": QuotaExceededError("full")}


@dataclass
class MemoryDeliveries:
    """Delivers into a list; addresses in ``ERRORS`` fail, those in ``slow`` answer when they are told to.

    For those in ``failing`` a Deferred fails, for those in ``raising`` there is none.
    """

    delivered: list[tuple[str, str | None, bytes]] = field(default_factory=list)
    slow: set[str] = field(default_factory=set)
    failing: dict[str, Exception] = field(default_factory=dict)
    raising: dict[str, Exception] = field(default_factory=dict)
    waiting: dict[str, Deferred[None]] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)

    def check(self, address: str, sender: str | None) -> Deferred[None]:
        self.checked.append(address)
        if address in ERRORS:
            return fail(ERRORS[address])
        if address.startswith("slow-check"):
            return Deferred(lambda _: self.cancelled.append(address))
        return succeed(None)

    def deliver(self, address: str, sender: str | None, message: Message) -> Deferred[None]:
        if address in self.raising:
            raise self.raising[address]
        if address in self.failing:
            return fail(self.failing[address])
        octets = b"".join(message.pieces())
        self.delivered.append((address, sender, octets))
        if address in self.slow:
            return Deferred.fromCoroutine(self._later(address))
        return succeed(None)

    async def _later(self, address: str) -> None:
        """A delivery that has begun: it goes on when it is cancelled."""
        waiting = self.waiting[address] = Deferred()
        try:
            await waiting
        except CancelledError:
            self.cancelled.append(address)
            waiting = self.waiting[address] = Deferred()
            await waiting


class TlsTransport(StringTransport):
    """A transport that is asked to begin TLS, and goes on in the clear."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.contexts: list[object] = []

    def startTLS(self, context: object) -> None:  # noqa: N802 - the name in Twisted
        self.contexts.append(context)


class TcpTransport(StringTransport):
    """A transport with a socket's options. ``options`` has those that were set."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        alsoProvides(self, ITCPTransport)
        self.options: list[str] = []

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802 - the name in Twisted
        self.options.append(f"nodelay={enabled}")

    def setTcpKeepAlive(self, enabled: bool) -> None:  # noqa: N802 - the name in Twisted
        self.options.append(f"keepalive={enabled}")


SERVICE_UID = 500


class Connection:
    """A client's side of one connection to an LMTP factory; ``owners`` says whose the addresses are."""

    def __init__(
        self, settings: LmtpSettings | None = None, *, connections: int = 10, tls: ServerTls | None = None
    ) -> None:
        self.clock = Clock()
        self.owners: dict[str, int] = {}
        self.deliveries = MemoryDeliveries()
        self.threads: list[Callable[[], None]] = []
        self.hold_threads = False
        self.service = LmtpService(
            settings=settings or LmtpSettings(),
            deliveries=self.deliveries,
            in_thread=self._in_thread,
            tls=tls,
            clock=self.clock,
            log=Logger("lmtp"),
            callers=Callers(frozenset({0, SERVICE_UID}), self._owner_of),
        )
        limits = ConnectionLimits(connections=connections, per_address=connections)
        self.factory = LmtpFactory(self.service, admission=limits, host_name="mail.example.org")
        self.connect()

    def connect(self) -> None:
        """Go on with a new connection."""
        self.transport = TlsTransport()
        self.protocol = self.factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)  # type: ignore[no-untyped-call]

    def _owner_of(self, address: str) -> int:
        if address not in self.owners:
            raise NoSuchUserError(address)
        return self.owners[address]

    def clear(self) -> None:
        """Forget what was answered so far."""
        self.transport.clear()  # type: ignore[no-untyped-call]

    def sent(self) -> bytes:
        """What was answered since."""
        octets: bytes = self.transport.value()  # type: ignore[no-untyped-call]
        return octets

    def ask(self, *lines: bytes) -> list[str]:
        self.clear()
        self.protocol.dataReceived(b"".join(line + b"\r\n" for line in lines))
        return self.answers()

    def answers(self) -> list[str]:
        return codes(self.sent())

    def begin(self, *recipients: str) -> list[str]:
        return self.ask(b"LHLO c", b"MAIL FROM:<s@x>", *(f"RCPT TO:<{each}>".encode() for each in recipients))

    def lose(self) -> None:
        assert isinstance(self.protocol, LmtpProtocol)
        self.protocol.connectionLost()

    def _in_thread(self, function: Callable[[], None]) -> Deferred[None]:
        done: Deferred[None] = Deferred()

        def run() -> None:
            function()
            done.callback(None)

        if self.hold_threads:
            self.threads.append(run)
        else:
            run()
        return done
