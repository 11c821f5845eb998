"""What the connections of one LMTP listener share."""

from __future__ import annotations

from dataclasses import dataclass, field

from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime
from twisted.logger import Logger

from mta.server.callers import Callers
from mta.server.deliveries import Deliveries
from mta.server.good_recipients import GoodRecipients
from mta.server.incoming import InThread
from mta.server.settings import LmtpSettings


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
    callers: Callers
    totals: LmtpCounters = field(default_factory=LmtpCounters)
    good_recipients: GoodRecipients = field(default_factory=GoodRecipients)
