"""What LMTP deliveries are built from, in a worker and in the spawner."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from delivery.agent import Account, DeliveryAgent, has_own_uid
from delivery.environment import Recipient
from delivery.settings import DeliverySettings
from mta.server.deliveries import LocalDeliveries, SiteDeliveries
from mta.server.delivery_dialogue import order_of
from mta.server.delivery_process import ProgramSlot, run_delivery_process
from mta.server.remote_deliveries import Asking, RemoteDeliveries
from mta.server.settings import LmtpSettings
from mta.server.turns import UserTurns
from serving.blocking import Bulkheads
from serving.mail_processes import DELIVERY_LIMITS, MailProcessPlan, Order
from serving.program_lanes import LaneSettings
from serving.spawner import DeliveriesPlan
from serving.spawner_client import SpawnerClient
from spool.errors import HomeUnavailableError
from tools.service_parts import ServiceParts

PROGRAM_SHARE: Final = 0.75
"""Of a delivery's time so much is a program's: its group has five seconds between TERM and KILL, too."""

FILES: Final = 256
"""So many files a delivery process may have open, or as many as a program of its user."""


def worker_deliveries(
    parts: ServiceParts,
    reactor: Any,
    bulkheads: Bulkheads,
    remote_bulkheads: Bulkheads,
    spawner: SpawnerClient,
    file_system_of: Callable[[Path], str],
) -> SiteDeliveries:
    """Make the deliveries of a worker.

    Args:
        parts: of the service.
        reactor: of the worker.
        bulkheads: for recipients whose uid is the worker's; sessions of the worker share them.
        remote_bulkheads: for deliveries through the spawner (``remote_bulkheads``).
        spawner: gives sockets to delivery processes.
        file_system_of: the mount point a path lies under.
    """
    settings = parts.settings
    agent = DeliveryAgent(
        parts.site,
        settings.spool,
        settings.delivery,
        become=_be_ourselves,
        has_own_uid=lambda _: False,  # whomever a worker delivers to has the worker's uid
    )
    local = LocalDeliveries(agent, UserTurns(bulkheads, file_system_of, reactor))
    turns = UserTurns(remote_bulkheads, file_system_of, reactor)
    remote = RemoteDeliveries(reactor, spawner, turns, settings.lmtp.reply_seconds)
    return SiteDeliveries(agent.resolve, os.getuid(), local, remote)


def remote_bulkheads(parts: ServiceParts, reactor: Any) -> Bulkheads:
    """Make the limits of a worker's deliveries through the spawner. There are no threads that could be lost."""
    return Bulkheads(reactor, parts.settings.limits, Asking(), lambda _: None)


def deliveries_plan(parts: ServiceParts) -> DeliveriesPlan:
    """Say what delivery processes are. Nothing is opened yet."""
    settings = parts.settings
    looking_up = DeliveryAgent(
        parts.site, settings.spool, settings.delivery, become=_be_ourselves, has_own_uid=lambda _: False
    )

    def resolve(address: str) -> Order:
        return order_of(_in_time(looking_up.resolve(address), settings.lmtp))

    processes = MailProcessPlan(
        name="delivery",
        run=partial(run_delivery_process, partial(_process_agent, parts)),
        limits=(*DELIVERY_LIMITS, (resource.RLIMIT_NOFILE, max(FILES, settings.delivery.program_files))),
        groups=parts.service.groups,
        processes_max=settings.lmtp.delivery_processes,
        processes_per_user_max=settings.lmtp.delivery_processes_per_user,
        idle_max=settings.lmtp.delivery_processes_idle,
    )
    return DeliveriesPlan(processes, resolve, lane_settings(settings.delivery))


def lane_settings(delivery: DeliverySettings) -> LaneSettings:
    """Say how many programs may run."""
    return LaneSettings(
        slots=delivery.program_slots,
        per_user=delivery.programs_per_user,
        slow_seconds=delivery.program_slow_seconds,
        penalty_first_seconds=delivery.program_penalty_first_seconds,
        penalty_seconds_max=delivery.program_penalty_seconds_max,
    )


def _process_agent(parts: ServiceParts, slot: ProgramSlot) -> DeliveryAgent:
    settings = parts.settings
    return DeliveryAgent(
        parts.site,
        settings.spool,
        settings.delivery,
        become=_be_ourselves,
        has_own_uid=partial(has_own_uid, root=settings.spool.root),
        program_slot=slot,
    )


def _in_time(account: Account, settings: LmtpSettings) -> Account:
    """Let a program that takes long be ended, and be known to have been, before its delivery is given up."""
    seconds = min(account.programs.seconds, settings.reply_seconds * PROGRAM_SHARE)
    return replace(account, programs=replace(account.programs, seconds=seconds))


def _be_ourselves(recipient: Recipient) -> None:
    """This process becomes nobody; who has its uid was found out before."""
    if recipient.uid != os.getuid():
        raise HomeUnavailableError(f"{recipient.home}: this process is uid {os.getuid()}, not {recipient.uid}")
