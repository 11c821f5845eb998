"""The composition root of the service: from a site's settings to what the supervisor runs.

Runs in the supervisor, again for every reload. What a process builds for itself after the fork is in
``tools.worker_parts`` and ``tools.authenticator_parts``.
"""

from __future__ import annotations

import grp
import os
import pwd
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from accounts.tickets import KEY_OCTETS
from serving.authenticator_shell import run_authenticator
from serving.certificates import TlsMaterial, read_tls_material
from serving.children import Role
from serving.generations import SupervisorPlan
from serving.mail_process import run_mail_process
from serving.mail_processes import SESSION_LIMITS, MailProcessPlan
from serving.privileges import Identity
from serving.resources import claim_resources, network_file_system_warnings
from serving.settings import ListenerSettings
from serving.sockets import ListenerPlan
from serving.spawner import SpawnerPlan, run_spawner
from serving.status import SOCKET_NAME
from serving.worker import run_worker
from spool.assign_directory import AssignDirectory
from spool.control_files import Locals
from spool.errors import SettingsError
from spool.file_systems import Mounts
from spool.kept_snapshots import KeptSnapshots
from spool.site import Site
from tools.authenticator_parts import build_authenticator
from tools.delivery_parts import admission_settings, deliveries_plan, programs_plan
from tools.lmtp_callers import trusted_uids
from tools.program_user import program_identity
from tools.service_parts import ServiceParts, plan_of
from tools.site_settings import SiteSettings
from tools.worker_parts import build_worker, opening, worker_count

AUTHENTICATOR: Final = "authenticator"
SPAWNER: Final = "spawner"
WORKER: Final = "worker"


def service_plan(site: Site, settings: SiteSettings, warn: Callable[[str], None]) -> SupervisorPlan:
    """Say what the supervisor is to run.

    Args:
        site: the site.
        settings: its settings, for this generation of processes.
        warn: takes what the operator should hear.

    Raises:
        SettingsError: something the settings name is missing or unusable.
        DirectoryUnavailableError: the directory of users is.
    """
    if not settings.listeners:
        raise SettingsError(f"{site.settings_file}: no [[listener]]: nothing would be served")
    resources = claim_resources(settings.limits, worker_count(settings))
    for warning in (*resources.warnings, *network_file_system_warnings(settings.spool.root, Mounts().all())):
        warn(warning)
    _check_assignments(site)
    service, authenticator = service_identity(settings), authenticator_identity(site)
    _check_attainable(service.uid, "workers")
    _check_attainable(0 if authenticator is None else authenticator.uid, AUTHENTICATOR)
    root = os.geteuid() == 0
    programs = program_identity(
        settings.delivery.program_user,
        uid_min=settings.service.uid_min,
        mail_uids={service.uid, settings.spool.root.stat().st_uid},
    )
    if programs is not None and not root:
        warn("[delivery] program_user: only a service that root has started becomes it; mail for users' programs waits")
    parts = ServiceParts(
        site=site,
        settings=settings,
        service=service,
        tls=_tls_of(settings.listeners, warn),
        connections=resources.connections,
        submission_domain=_first_domain(site),
        trusted=trusted_uids(settings.lmtp, service),
        ticket_key=bytearray(os.urandom(KEY_OCTETS)) if root else None,
        programs=programs if root else None,
    )
    plans = tuple(plan_of(listener) for listener in settings.listeners)
    return SupervisorPlan(
        listeners=plans,
        roles=tuple(_roles(parts, authenticator)),
        drain_seconds=settings.workers.drain_seconds,
        status_path=status_path(site, settings),
    )


def _roles(parts: ServiceParts, authenticator: Identity | None) -> list[Role]:
    settings = parts.settings
    roles = [
        Role(
            AUTHENTICATOR,
            1,
            partial(run_authenticator, partial(build_authenticator, parts), time.monotonic),
            identity=authenticator,
            knows=frozenset({SPAWNER}),
        ),
        Role(
            WORKER,
            worker_count(settings),
            partial(run_worker, partial(build_worker, parts), parts.connections),
            identity=parts.service,
            protocols=frozenset(listener.protocol for listener in settings.listeners),
            knows=frozenset({AUTHENTICATOR, SPAWNER}),
        ),
    ]
    if parts.ticket_key is not None:
        # Empty when mail processes are forked: each fills its own for as long as it lives.
        kept = KeptSnapshots(settings.limits.kept_snapshot_octets)
        sessions = MailProcessPlan(
            "mail",
            partial(run_mail_process, opening(parts, kept), parts.settings.spool.root),
            SESSION_LIMITS,
            parts.service.groups,
        )
        plan = SpawnerPlan(
            secret=parts.ticket_key,
            sessions=sessions,
            deliveries=deliveries_plan(parts),
            admission=admission_settings(settings.delivery),
            uid_min=settings.service.uid_min,
            programs=programs_plan(parts),
        )
        roles.append(Role(SPAWNER, 1, partial(run_spawner, plan)))
    return roles


def status_path(site: Site, settings: SiteSettings) -> Path:
    """Where the supervisor answers ``mailspool status``."""
    return (settings.service.runtime_directory or site.directory / "run") / SOCKET_NAME


def service_identity(settings: SiteSettings) -> Identity:
    """Who the workers run as: ``[service] user`` and ``group``, else the owner of the spool root.

    Raises:
        SettingsError: there is no such account or directory, or it is uid 0.
    """
    service = settings.service
    try:
        status = settings.spool.root.stat()
        uid, gid = status.st_uid, status.st_gid
        if service.user is not None:
            account = pwd.getpwnam(service.user)
            uid, gid = account.pw_uid, account.pw_gid
        if service.group is not None:
            gid = grp.getgrnam(service.group).gr_gid
        dotlock = settings.spool.dotlock_group
        groups = (grp.getgrnam(dotlock).gr_gid,) if dotlock is not None else ()
    except (OSError, KeyError) as error:
        raise SettingsError(f"cannot tell who the service runs as: {error}") from error
    if uid == 0:
        raise SettingsError("the service would run as uid 0; name another account by [service] user")
    return Identity(uid, gid, groups)


def authenticator_identity(site: Site) -> Identity | None:
    """Who the authenticator runs as: the owner of the password file; None for root, which it then stays.

    Raises:
        SettingsError: the file is missing.
    """
    try:
        owner = site.passwd.stat()
    except OSError as error:
        raise SettingsError(f"{site.passwd}: {error.strerror}") from error
    return Identity(owner.st_uid, owner.st_gid) if owner.st_uid else None


def _check_attainable(uid: int, role: str) -> None:
    own = os.geteuid()
    if own not in (0, uid):
        raise SettingsError(f"only root can start the {role} as uid {uid}; this is uid {own}")


def _check_assignments(site: Site) -> None:
    """See that users can be looked up; how many there are makes no difference."""
    next(AssignDirectory(site.assign_compiled).lines(), None)


def _first_domain(site: Site) -> str:
    domains = Locals(site.locals).all()
    if not domains:
        raise SettingsError(f"{site.locals}: expected a domain, found none")
    return min(domain.text for domain in domains)


def _tls_of(listeners: tuple[ListenerSettings, ...], warn: Callable[[str], None]) -> Mapping[ListenerPlan, TlsMaterial]:
    tls = {}
    for listener in listeners:
        if listener.certificate is not None and listener.key is not None:
            checked = read_tls_material(listener.certificate, listener.key, listener.client_ca)
            for warning in checked.warnings:
                warn(warning)
            tls[plan_of(listener)] = checked.material
    return tls
