"""What LMTP deliveries are built from, in a worker and in the spawner."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from delivery.agent import DeliveryAgent, has_own_uid, no_slot_in_dotlock_group
from delivery.environment import own_variables
from delivery.resolver import Account, AddressResolver
from delivery.settings import DeliverySettings
from mta.server.deliveries import LocalDeliveries, SiteDeliveries
from mta.server.delivery_dialogue import order_of
from mta.server.delivery_process import MayBegin, ProgramSlot, run_delivery_process
from mta.server.program_deliveries import ProgramDeliveries, forwards_elsewhere, programs_elsewhere
from mta.server.program_process import run_program_process
from mta.server.remote_deliveries import Asking, RemoteDeliveries
from mta.server.settings import LmtpSettings
from mta.server.turns import UserTurns
from serving.blocking import Bulkheads
from serving.mail_processes import DELIVERY_LIMITS, MailProcessPlan
from serving.orders import Order
from serving.program_admission import ProgramAdmissionSettings
from serving.spawner import AddressedPlan
from serving.spawner_client import SpawnerClient
from serving.threads import Threads
from spool.site_trust import check_only_root_decides
from tools.program_user import program_limits
from tools.service_parts import ServiceParts

PROGRAM_SHARE: Final = 0.75
"""Of a delivery's time so much is a program's: its group has five seconds between TERM and KILL, too."""

REFUSED_AT_ONCE: Final = 10
"""So many program processes there are beside those with a slot: each asks for one, and is told that there is none."""

FILES: Final = 256
"""So many files a delivery process may have open, or as many as a program of its user."""


def worker_deliveries(
    parts: ServiceParts,
    reactor: Any,
    bulkheads: Bulkheads,
    remote_bulkheads: Bulkheads,
    spawner: SpawnerClient,
    threads: Threads,
    file_system_of: Callable[[Path], str],
) -> SiteDeliveries:
    """Make the deliveries of a worker.

    Args:
        parts: of the service.
        reactor: of the worker.
        bulkheads: for recipients whose uid is the worker's; sessions of the worker share them.
        remote_bulkheads: for deliveries through the spawner (``bulkheads_without_threads``).
        spawner: gives sockets to delivery processes.
        threads: where deliveries forward, or wait for programs that run elsewhere.
        file_system_of: the mount point a path lies under.
    """
    settings = parts.settings
    agent_here = partial(
        DeliveryAgent,
        parts.site,
        settings.spool,
        settings.delivery,
        has_own_uid=lambda _: False,  # whomever a worker delivers to has the worker's uid
        programs_elsewhere=None if parts.programs is None else programs_elsewhere,
    )
    local_turns = UserTurns(bulkheads, file_system_of, reactor)
    variables = own_variables(parts.site.directory)
    in_bulkheads = LocalDeliveries(agent_here(may_begin=forwards_elsewhere), local_turns)
    local = ProgramDeliveries(in_bulkheads, agent_here(), spawner, threads, variables)
    remote_turns = UserTurns(remote_bulkheads, file_system_of, reactor)
    remote = RemoteDeliveries(reactor, spawner, remote_turns)
    resolver = AddressResolver(parts.site, settings.spool, settings.delivery)
    return SiteDeliveries(resolver.resolve, os.getuid(), local, remote)


def bulkheads_without_threads(parts: ServiceParts, reactor: Any) -> Bulkheads:
    """Make the limits of a worker's deliveries through the spawner: it is asked, and no thread could be lost."""
    return Bulkheads(reactor, parts.settings.limits, Asking(), lambda _: None)


def deliveries_plan(parts: ServiceParts) -> AddressedPlan:
    """Say what delivery processes are. Nothing is opened yet."""
    settings = parts.settings
    account_of = _looking_up(parts)

    def resolve(address: str) -> Order:
        check_only_root_decides(parts.site)
        return order_of(account_of(address))

    processes = MailProcessPlan(
        name="delivery",
        run=partial(run_delivery_process, partial(_process_agent, parts)),
        limits=(*DELIVERY_LIMITS, (resource.RLIMIT_NOFILE, max(FILES, settings.delivery.program_files))),
        groups=parts.service.groups,
        processes_max=settings.lmtp.delivery_processes,
        processes_per_user_max=settings.lmtp.delivery_processes_per_user,
        idle_max=settings.lmtp.delivery_processes_idle,
    )
    return AddressedPlan(processes, resolve)


def programs_plan(parts: ServiceParts) -> AddressedPlan | None:
    """Say what program processes are, None where there are none."""
    if parts.programs is None:
        return None
    uid, gid, delivery = parts.programs.uid, parts.programs.gid, parts.settings.delivery
    account_of = _looking_up(parts)

    def resolve(address: str) -> Order:
        account = account_of(address)
        message = {"seconds": account.programs.seconds}
        return Order(account.recipient.user, uid, gid, message, account.programs.at_once)

    processes_max = delivery.program_slots + REFUSED_AT_ONCE
    processes = MailProcessPlan(
        name="program",
        run=partial(run_program_process, program_limits(delivery)),
        limits=(*DELIVERY_LIMITS, (resource.RLIMIT_NOFILE, max(FILES, delivery.program_files))),
        processes_max=processes_max,
        processes_per_user_max=processes_max,  # to the kernel they are all of one user
        idle_max=1,
    )
    return AddressedPlan(processes, resolve)


def _looking_up(parts: ServiceParts) -> Callable[[str], Account]:
    settings = parts.settings
    resolver = AddressResolver(parts.site, settings.spool, settings.delivery)
    return lambda address: _in_time(resolver.resolve(address), settings.lmtp)


def admission_settings(delivery: DeliverySettings) -> ProgramAdmissionSettings:
    """Say how many programs may run."""
    return ProgramAdmissionSettings(
        slots=delivery.program_slots,
        per_user=delivery.programs_per_user,
        slow_seconds=delivery.program_slow_seconds,
        penalty_first_seconds=delivery.program_penalty_first_seconds,
        penalty_seconds_max=delivery.program_penalty_seconds_max,
    )


def _process_agent(parts: ServiceParts, slot: ProgramSlot, may_begin: MayBegin) -> DeliveryAgent:
    settings = parts.settings
    return DeliveryAgent(
        parts.site,
        settings.spool,
        settings.delivery,
        has_own_uid=partial(has_own_uid, root=settings.spool.root),
        program_slot=no_slot_in_dotlock_group if parts.service.groups else slot,
        may_begin=may_begin,
    )


def _in_time(account: Account, settings: LmtpSettings) -> Account:
    """Let a program that takes long be ended, and be known to have been, before its delivery is given up."""
    seconds = min(account.programs.seconds, settings.reply_seconds * PROGRAM_SHARE)
    return replace(account, programs=replace(account.programs, seconds=seconds))
