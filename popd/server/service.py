"""What all connections of one POP3 listener share."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime
from twisted.logger import Logger

from popd.server.counters import ServiceCounters
from popd.server.kept_listings import KeptListings
from popd.server.login import LoginServices
from popd.server.settings import Pop3Settings
from popd.server.submission import HourlyAllowance, Submitter


@dataclass(frozen=True, slots=True)
class Pop3Service:
    """The settings and services behind every session. ``tls`` makes the server side of STLS, None where it is off."""

    settings: Pop3Settings
    logins: LoginServices
    listings: KeptListings
    submitter: Submitter
    allowance: HourlyAllowance
    tls: IOpenSSLServerConnectionCreator | None
    clock: IReactorTime
    totals: ServiceCounters
    log: Logger
