"""What the authenticator's process is built from."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any, Final

from twisted.logger import Logger

from accounts.authenticator import Authenticator
from accounts.checks import RhostsNeeded
from accounts.credentials import Credentials
from accounts.settings import LoginPolicy
from accounts.tickets import LIFETIME_SECONDS, NONCE_OCTETS, Ticket, seal
from serving.authenticator_shell import AuthenticatorParts
from serving.check_runner import CheckLimits, CheckRunner
from serving.logging import start_logging
from serving.remote_user_files import RemoteUserFiles
from serving.spawner_client import SpawnerClient
from spool.assign import AssignRecord
from spool.assign_directory import AssignDirectory
from spool.control_files import Domains, Locals
from spool.names import DomainName, UserName
from spool.site import Site
from tools.service_parts import ServiceParts
from tools.site_settings import SiteSettings

_log: Final = Logger("authenticator")


class SiteDirectory:
    """The site's users and domains as the accounts need them (``accounts.directory.Directory``)."""

    def __init__(self, site: Site) -> None:
        self._assign = AssignDirectory(site.assign_compiled)
        self._locals = Locals(site.locals)
        self._domains = Domains(site.domains)

    def user(self, name: UserName) -> AssignRecord:
        """``Directory.user``."""
        return self._assign.user(name)

    def belongs(self, user: UserName, domain: DomainName) -> bool:
        """``Directory.belongs``."""
        return self._locals.contains(domain) and self._domains.belongs(user, domain)


def login_policy(settings: SiteSettings) -> LoginPolicy:
    """What the tables of other packages say about logins."""
    ports = settings.pop3.trusted_ports()
    return LoginPolicy(
        uid_min=settings.service.uid_min,
        connections_per_user=settings.limits.connections_per_user,
        failures_per_address=settings.limits.failures_per_address,
        login_delay_seconds=settings.pop3.login_delay_seconds or 0,
        rpop_networks=settings.pop3.trusted_networks(),
        rpop_ports=(ports[0], ports[-1]),
    )


def build_authenticator(parts: ServiceParts, reactor: Any) -> AuthenticatorParts:
    """Build the authenticator inside its process."""
    settings = parts.settings
    start_logging(settings.log)
    key = bytes(parts.ticket_key or b"")
    spawner = SpawnerClient(reactor)
    authenticator = Authenticator(
        settings=settings.auth,
        policy=login_policy(settings),
        directory=SiteDirectory(parts.site),
        credentials=Credentials.in_directory(parts.site.control),
        service_uid=parts.service.uid,
        ticket_key=key,
        report=lambda line: _log.warn("{line}", line=line),
    )
    # As an ordinary user there is no spawner, and no home of another uid could be read.
    files = RemoteUserFiles(reactor, spawner, settings.limits.operation_seconds, partial(_seal, key)) if key else None
    limits = CheckLimits(hashers=len(os.sched_getaffinity(0)))
    runner = CheckRunner(reactor, limits, files, spool_root=settings.spool.root)
    return AuthenticatorParts(authenticator, runner, spawner.connect)


def _seal(key: bytes, needed: RhostsNeeded) -> bytes:
    expires = time.monotonic() + LIFETIME_SECONDS
    return seal(key, Ticket(needed.user, needed.uid, needed.gid, needed.home, expires, os.urandom(NONCE_OCTETS)))
