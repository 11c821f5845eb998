"""What a network worker is built from."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.names.client import createResolver

from accounts.requests import Granted
from mta.server.factory import LmtpFactory
from mta.server.service import LmtpCounters, LmtpService
from popd.server.counters import ServiceCounters
from popd.server.factory import Pop3Factory
from popd.server.kept_listings import KeptListings
from popd.server.login import LoginServices
from popd.server.rpop import NameResolver, RpopGate
from popd.server.service import Pop3Service
from popd.server.submission import HourlyAllowance, SendmailCommand
from serving.blocking import Bulkheads
from serving.limits import ConnectionLimits
from serving.local_maildrops import LocalMaildropOpener, OpenBlocking
from serving.logging import start_logging
from serving.maildrops import MaildropOpener
from serving.remote_maildrops import RemoteMaildropOpener
from serving.settings import IMPLICIT_TLS
from serving.site_maildrops import SiteMaildropOpener
from serving.sockets import ListenerPlan
from serving.spawner_client import SpawnerClient
from serving.threads import DaemonThreads
from serving.tls import ServerTls, tls_factory
from serving.worker import Service, WorkerContext, WorkerParts
from spool.file_systems import Mounts
from spool.homes import locate_mailbox
from spool.kept_snapshots import KeptSnapshots
from spool.mailbox import Maildrop
from spool.mailboxes import open_mailbox
from spool.quota.table import Limits
from spool.settings import SpoolSettings
from tools.delivery_parts import bulkheads_without_threads, worker_deliveries
from tools.lmtp_callers import callers_of
from tools.service_parts import ServiceParts
from tools.site_settings import SiteSettings

_log: Final = Logger("pop3")


def worker_count(settings: SiteSettings) -> int:
    """How many workers there are: ``[workers] count``, by default one for each core this process may use."""
    return settings.workers.count or len(os.sched_getaffinity(0))


def build_worker(parts: ServiceParts, context: WorkerContext) -> WorkerParts:
    """Build a worker inside its process."""
    settings, reactor = parts.settings, context.reactor
    start_logging(settings.log)
    if parts.ticket_key is not None:
        # It came along with the fork; only the authenticator and the spawner may know it.
        parts.ticket_key[:] = bytes(len(parts.ticket_key))
    kept = KeptSnapshots(settings.limits.kept_snapshot_octets)
    threads = DaemonThreads(reactor.callFromThread)
    bulkheads = Bulkheads(reactor, settings.limits, threads, context.ask_replacement)
    spawner = SpawnerClient(reactor)
    mounts = Mounts()

    def file_system_of(path: Path) -> str:
        return str(mounts.mount_of(path).mount_point)

    opener = SiteMaildropOpener(
        LocalMaildropOpener(
            bulkheads,
            opening(parts, kept),
            file_system_of,
        ),
        RemoteMaildropOpener(
            reactor,
            spawner,
            settings.limits.operation_seconds,
            openings_per_user=settings.limits.operations_per_user,
        ),
    )
    totals = ServiceCounters()
    limits = ConnectionLimits(connections=parts.connections, per_address=settings.limits.connections_per_address)
    listings = KeptListings(kept)
    resolver = createResolver()  # type: ignore[no-untyped-call]

    lmtp_totals = LmtpCounters()
    callers = callers_of(parts)
    remote_bulkheads = bulkheads_without_threads(parts, reactor)
    deliveries = worker_deliveries(parts, reactor, bulkheads, remote_bulkheads, spawner, threads, file_system_of)

    def serve_pop3(plan: ListenerPlan) -> Service:
        return _pop3_listener(parts, context, plan, opener, listings, limits, totals, resolver)

    def serve_lmtp(plan: ListenerPlan) -> Service:
        service = LmtpService(
            settings=settings.lmtp,
            deliveries=deliveries,
            in_thread=partial(_in_thread, threads),
            tls=_tls(parts, plan),
            clock=reactor,
            log=Logger("lmtp"),
            callers=callers,
            totals=lmtp_totals,
        )
        factory = LmtpFactory(service, admission=limits, host_name=socket.gethostname())
        return Service(factory, factory.drain)

    def counters() -> Mapping[str, Any]:
        remote = {f"delivery_{name}": value for name, value in asdict(remote_bulkheads.totals).items()}
        return {**asdict(totals), **asdict(lmtp_totals), **asdict(bulkheads.totals), **remote}

    def open_sessions() -> int:
        return totals.connections_open + lmtp_totals.lmtp_connections_open

    def introduced(_role: str, end: socket.socket) -> None:
        spawner.connect(end)

    builders = {"pop3": serve_pop3, "pop3s": serve_pop3, "lmtp": serve_lmtp}
    return WorkerParts(builders, open_sessions, counters, introduced)


def _in_thread(threads: DaemonThreads, function: Callable[[], None]) -> Deferred[None]:
    called: Deferred[None] = Deferred()
    threads.run(function, lambda _: called.callback(None))
    return called


def _tls(parts: ServiceParts, plan: ListenerPlan) -> ServerTls | None:
    material = parts.tls.get(plan)
    return None if material is None else ServerTls(material)


def opening(parts: ServiceParts, kept: KeptSnapshots) -> OpenBlocking:
    """Return what opens maildrops in one process; it remembers mailboxes in ``kept``, and the limits of users."""
    settings = parts.settings.spool
    return partial(_open, settings, kept, Limits(parts.site.quotas, settings.quota_limit))


def _open(settings: SpoolSettings, kept: KeptSnapshots, limits: Limits, granted: Granted, share: bool) -> Maildrop:
    location = locate_mailbox(granted.user, uid=granted.uid, gid=granted.gid, home=granted.home, settings=settings)
    return open_mailbox(location, settings, kept=kept, limit=limits.of(granted.user)).open_maildrop(share=share)


def _pop3_listener(
    parts: ServiceParts,
    context: WorkerContext,
    plan: ListenerPlan,
    opener: MaildropOpener,
    listings: KeptListings,
    limits: ConnectionLimits,
    totals: ServiceCounters,
    resolver: NameResolver,
) -> Service:
    settings, reactor = parts.settings.pop3, context.reactor
    material = parts.tls.get(plan)
    tls = _tls(parts, plan)
    gate = RpopGate(settings.trusted_networks(), settings.trusted_ports(), resolver, reactor)
    service = Pop3Service(
        settings=settings,
        logins=LoginServices(context.authentication, opener, gate, settings.busy, reactor),
        listings=listings,
        submitter=SendmailCommand(settings.xtnd_xmit, parts.submission_domain, reactor, reactor),
        allowance=HourlyAllowance(settings.xtnd_xmit_messages_per_hour, reactor),
        tls=tls,
        clock=reactor,
        totals=totals,
        log=_log,
    )
    implicit = plan.protocol in IMPLICIT_TLS
    factory = Pop3Factory(
        service,
        admission=limits,
        cleartext=parts.settings.auth.cleartext,
        implicit_tls=implicit,
        client_certificates=material is not None and material.client_ca is not None,
        host_name=socket.gethostname(),
        random_octets=os.urandom,
        epoch_seconds=time.time,
    )
    outer = tls_factory(tls, factory, reactor) if implicit and tls is not None else factory
    return Service(outer, factory.drain)
