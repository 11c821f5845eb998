"""The other sides of a POP3 connection, small and in memory: transport, authenticator, maildrops, sendmail, DNS."""

# ruff: noqa: N802, N803 - the names are Twisted's

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest_twisted
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.logger import LogEvent, Logger, formatEvent
from twisted.names import dns
from twisted.names.error import DNSNameError
from twisted.python.failure import Failure

from accounts.requests import (
    AuthAnswer,
    Granted,
    Offer,
    Peer,
    SaslAbandon,
    SessionEnded,
)
from popd.pop3.steps import SessionPolicy
from popd.server.counters import ServiceCounters
from popd.server.kept_listings import KeptListings
from popd.server.login import LoginServices
from popd.server.protocol import Pop3Protocol
from popd.server.rpop import NameResolver, RpopGate
from popd.server.service import Pop3Service
from popd.server.settings import Pop3Settings
from popd.server.submission import HourlyAllowance
from spool.errors import MailboxBusyError
from spool.kept_snapshots import KEEPS_NOTHING
from spool.names import UserName

T = TypeVar("T")
Test = TypeVar("Test", bound=Callable[..., Coroutine[Any, Any, None]])

PEER = Peer("192.0.2.7", 1022)
FRED = Granted(UserName("fred"), 1000, 1000, Path("/nowhere/fred"))
TIMESTAMP = b"<1896.697170952@dbc.mtview.ca.us>"
OFFER = Offer(("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "EXTERNAL", "PLAIN", "LOGIN"), apop=True)
BUFFER_OCTETS = 64 * 1024

failure_of: Callable[[BaseException], Failure] = cast("Any", Failure)
records: Any = dns  # whose classes have no types


def in_reactor(test: Test) -> Test:
    """Run a coroutine as a test, with the reactor running."""
    return cast("Test", pytest_twisted.ensureDeferred(test))


class FakeTransport:
    """A TCP transport whose peer reads only when told to; pauses its producer past ``BUFFER_OCTETS``, as TCP does."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.options: list[str] = []
        self.producer: IPushProducer | None = None
        self.tls_context: object = None
        self.protocol: Any = None
        self.connected = True
        self.reading = True
        self.disconnecting = False
        self.aborted = False
        self.peer_reads = True

    def connect(self, protocol: Any) -> None:
        """Be the transport of a protocol."""
        self.protocol = protocol
        protocol.makeConnection(self)

    def value(self) -> bytes:
        """What the peer has not read yet."""
        return b"".join(self.writes)

    def drain(self) -> bytes:
        """The peer reads all there is."""
        octets = self.value()
        self.writes.clear()
        if self.producer is not None and not self.peer_reads:
            self.producer.resumeProducing()
        return octets

    def lose(self, reason: BaseException | None = None) -> None:
        """The connection is gone."""
        if self.connected:
            self.connected = False
            self.protocol.connectionLost(failure_of(reason or ConnectionDone()))

    def half_close(self) -> None:
        """The peer has sent all it will, and still listens."""
        self.protocol.readConnectionLost()

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        if self.producer is not None and not self.peer_reads and len(self.value()) > BUFFER_OCTETS:
            self.producer.pauseProducing()

    def loseConnection(self) -> None:
        self.disconnecting = True

    def abortConnection(self) -> None:
        # As with TCP, the protocol hears of it in a later turn of the reactor: see ``lose``.
        self.aborted = True

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.options.append(f"nodelay={enabled}")

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.options.append(f"keepalive={enabled}")

    def startTLS(self, contextFactory: object) -> None:
        self.tls_context = contextFactory

    def getHandle(self) -> None:
        """There is no TLS connection to look at."""


@dataclass
class FakeAuthenticator:
    """Answers from ``answers`` in order; where there is none, the question waits in ``waiting``."""

    offer: Offer = OFFER
    answers: list[AuthAnswer] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    waiting: list[Deferred[AuthAnswer]] = field(default_factory=list)
    told: list[SaslAbandon | SessionEnded] = field(default_factory=list)
    conversations: int = 0

    def next_conversation(self) -> int:
        self.conversations += 1
        return self.conversations

    def ask(self, request: Any) -> Deferred[AuthAnswer]:
        self.asked.append(request)
        if self.answers:
            return succeed(self.answers.pop(0))
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def tell(self, request: SaslAbandon | SessionEnded) -> None:
        self.told.append(request)


class FakeMaildrop:
    """A maildrop in memory. ``held`` makes operations wait in ``waiting``; ``error`` makes them fail."""

    last_accessed = 0
    read_only = False

    def __init__(self, *messages: bytes) -> None:
        self.messages = messages
        self.wire_octets: Sequence[int] = [len(message) for message in messages]
        self.unique_ids = [f"id{number}" for number in range(1, len(messages) + 1)]
        self.operations: list[tuple[str, Any]] = []
        self.committed: tuple[AbstractSet[int], AbstractSet[int]] | None = None
        self.closed = 0
        self.held = False
        self.error: BaseException | None = None
        self.waiting: list[tuple[Deferred[Any], Any]] = []
        self.piece_octets = BUFFER_OCTETS
        self.streams: list[FakeStream] = []

    def answer(self, value: T) -> Deferred[T]:
        if self.error is not None:
            return fail(self.error)
        if self.held:
            waiting: Deferred[T] = Deferred()
            self.waiting.append((waiting, value))
            return waiting
        return succeed(value)

    def go_on(self) -> None:
        """Let the oldest waiting operation end."""
        waiting, value = self.waiting.pop(0)
        waiting.callback(value)

    def read_ahead(self, numbers: Sequence[int], octets_max: int) -> Deferred[Sequence[bytes]]:
        self.operations.append(("read_ahead", list(numbers)))
        return self.answer([self.messages[number - 1] for number in numbers])

    def stream(self, number: int) -> FakeStream:
        self.operations.append(("stream", number))
        self.streams.append(FakeStream(self, self.messages[number - 1]))
        return self.streams[-1]

    def head(self, number: int, octets_max: int) -> Deferred[bytes]:
        self.operations.append(("head", number))
        return self.answer(self.messages[number - 1][:octets_max])

    def commit(self, deleted: AbstractSet[int], retrieved: AbstractSet[int]) -> Deferred[None]:
        self.committed = deleted, retrieved
        return self.answer(None)

    def close(self) -> Deferred[None]:
        self.closed += 1
        return succeed(None)


class FakeStream:
    """A message in pieces."""

    def __init__(self, maildrop: FakeMaildrop, message: bytes) -> None:
        self.maildrop = maildrop
        self.message = message
        self.reads = 0
        self.closed = False

    def read(self) -> Deferred[bytes]:
        self.reads += 1
        size = self.maildrop.piece_octets
        piece, self.message = self.message[:size], self.message[size:]
        return self.maildrop.answer(piece)

    def close(self) -> None:
        self.closed = True


class FakeOpener:
    """Opens ``maildrop``; ``errors`` come first, ``held`` makes it wait in ``waiting``."""

    def __init__(self, maildrop: FakeMaildrop) -> None:
        self.maildrop = maildrop
        self.errors: list[BaseException] = []
        self.shares: list[bool] = []
        self.held = False
        self.waiting: list[Deferred[FakeMaildrop]] = []
        self.cancelled = 0

    def open(self, granted: Granted, *, share: bool = False) -> Deferred[FakeMaildrop]:
        self.shares.append(share)
        if self.errors:
            return fail(self.errors.pop(0))
        if self.held:
            self.waiting.append(Deferred(lambda _: self._cancel()))
            return self.waiting[-1]
        return succeed(self.maildrop)

    def _cancel(self) -> None:
        self.cancelled += 1

    def be_busy(self, times: int) -> None:
        self.errors += [MailboxBusyError("locked") for _ in range(times)]


class FakeSubmitter:
    """Takes messages, or fails with ``error``."""

    def __init__(self) -> None:
        self.submitted: list[tuple[UserName, bytes]] = []
        self.error: BaseException | None = None

    def submit(self, user: UserName, message: bytes) -> Deferred[None]:
        if self.error is not None:
            return fail(self.error)
        self.submitted.append((user, message))
        return succeed(None)


class FakeResolver(NameResolver):
    """A name service with a table; ``error`` makes it fail, ``held`` makes it never answer."""

    def __init__(self) -> None:
        self.pointers: dict[str, list[str]] = {}
        self.addresses: dict[str, list[str]] = {}
        self.asked: list[tuple[str, str]] = []
        self.error: BaseException | None = None
        self.held = False

    def lookupPointer(self, name: str) -> Deferred[Any]:
        return self._answer("PTR", name, [records.Record_PTR(host) for host in self.pointers.get(name, [])])

    def lookupAddress(self, name: str) -> Deferred[Any]:
        found = [address for address in self.addresses.get(name, []) if ":" not in address]
        return self._answer("A", name, [records.Record_A(address) for address in found])

    def lookupIPV6Address(self, name: str) -> Deferred[Any]:
        found = [address for address in self.addresses.get(name, []) if ":" in address]
        return self._answer("AAAA", name, [records.Record_AAAA(address) for address in found])

    def _answer(self, kind: str, name: str, found: list[Any]) -> Deferred[Any]:
        self.asked.append((kind, name))
        if self.held:
            return Deferred()
        if self.error is not None:
            return fail(self.error)
        if not found:
            return fail(DNSNameError())
        alias = dns.RRHeader(name, dns.CNAME, payload=records.Record_CNAME("other.example"))
        return succeed(([alias, *(dns.RRHeader(name, record.TYPE, payload=record) for record in found)], [], []))


class Client:
    """One connection to a protocol under test, with everything behind it."""

    def __init__(
        self,
        *messages: bytes,
        settings: Pop3Settings | None = None,
        policy: SessionPolicy | None = None,
        peer: Peer = PEER,
    ) -> None:
        self.clock = Clock()
        self.authenticator = FakeAuthenticator()
        self.maildrop = FakeMaildrop(*messages)
        self.opener = FakeOpener(self.maildrop)
        self.submitter = FakeSubmitter()
        self.resolver = FakeResolver()
        self.events: list[LogEvent] = []
        self.transport = FakeTransport()
        self.ended = 0
        settings = settings or Pop3Settings(rpop_networks=("192.0.2.0/24",))
        gate = RpopGate(settings.trusted_networks(), settings.trusted_ports(), self.resolver, self.clock)
        self.service = Pop3Service(
            settings=settings,
            logins=LoginServices(self.authenticator, cast("Any", self.opener), gate, settings.busy, self.clock),
            listings=KeptListings(KEEPS_NOTHING),
            submitter=self.submitter,
            allowance=HourlyAllowance(settings.xtnd_xmit_messages_per_hour, self.clock),
            tls=object(),  # type: ignore[arg-type]
            clock=self.clock,
            totals=ServiceCounters(),
            log=Logger("test", observer=cast("Any", self.events.append)),
        )
        self.protocol = Pop3Protocol(
            self.service,
            policy
            or SessionPolicy(
                user_cleartext=True, tls_available=True, timestamp=TIMESTAMP, mechanisms_cleartext=("PLAIN",)
            ),
            peer,
            self._count_end,
        )
        self.transport.connect(self.protocol)

    def say(self, *lines: bytes) -> bytes:
        """Send lines in one segment and read what is answered at once."""
        self.protocol.dataReceived(b"".join(line + b"\r\n" for line in lines))
        return self.hear()

    def hear(self) -> bytes:
        return self.transport.drain()

    def log_in(self) -> Client:
        """Be in TRANSACTION."""
        self.authenticator.answers.insert(0, FRED)
        assert b"+OK maildrop" in self.say(b"USER fred", b"PASS secret")
        return self

    def log_lines(self) -> list[str]:
        return [formatEvent(event) for event in self.events]

    def _count_end(self) -> None:
        self.ended += 1
