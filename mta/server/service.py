"""What the connections of one LMTP listener share."""

# ruff: noqa: D102, N802, N803 - the names are Twisted's, and its interfaces describe them

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IPushProducer, IReactorTime
from twisted.logger import Logger

from mta.server.deliveries import Deliveries
from mta.server.incoming import InThread
from mta.server.settings import LmtpSettings


class StreamTransport(Protocol):
    """What Twisted's TCP, TLS and UNIX transports have in common, in its names. The last one needs TCP or TLS."""

    def write(self, data: bytes) -> None: ...
    def loseConnection(self) -> None: ...
    def abortConnection(self) -> None: ...
    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None: ...
    def unregisterProducer(self) -> None: ...
    def pauseProducing(self) -> None: ...
    def resumeProducing(self) -> None: ...
    def startTLS(self, contextFactory: IOpenSSLServerConnectionCreator) -> None: ...


@dataclass(slots=True)
class LmtpCounters:
    """What this worker's connections have done; recipients count, not messages."""

    lmtp_connections: int = 0
    lmtp_connections_open: int = 0
    lmtp_delivered: int = 0
    lmtp_refused: int = 0


@dataclass(frozen=True, slots=True)
class LmtpService:
    """What is shared. ``tls`` is the context for STARTTLS, None where there is none."""

    settings: LmtpSettings
    deliveries: Deliveries
    in_thread: InThread
    tls: IOpenSSLServerConnectionCreator | None
    clock: IReactorTime
    log: Logger
    totals: LmtpCounters = field(default_factory=LmtpCounters)
