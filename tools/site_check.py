"""Checks a whole site: settings, control files, homes' file systems, credentials. For ``mailspool config check``."""

from __future__ import annotations

import contextlib
import pwd
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from accounts.credentials import Credentials
from delivery.program_shares import ProgramShares
from serving.settings import UnixAddress, parse_address
from spool import durable
from spool.assign import compile_plain
from spool.assign_directory import AssignDirectory
from spool.assign_text import AssignText
from spool.control_files import Domains, Locals
from spool.errors import SettingsError, SpoolError
from spool.names import UserName
from spool.quota.table import Limits
from spool.site import Site
from tools.service import service_identity, service_plan
from tools.site_settings import SiteSettings, read_site_settings


@dataclass(frozen=True, slots=True)
class Findings:
    """What a check found: ``errors`` keep the service from starting or somebody from their mail; ``remarks`` do not."""

    errors: tuple[str, ...]
    remarks: tuple[str, ...]


def check_site(site: Site) -> Findings:
    """Look at everything that can be checked without changing anything. Raises nothing on purpose."""
    try:
        settings = read_site_settings(site)
    except SettingsError as error:
        return Findings((str(error),), ())
    remarks: list[str] = []
    errors: list[str] = []
    checks: tuple[Callable[[], Iterator[str]], ...] = (
        lambda: _plan(site, settings, remarks),
        lambda: _assignments(site),
        lambda: _domains(site),
        lambda: _quotas(site, remarks),
        lambda: _programs(site, settings, remarks),
        lambda: _program_user(site, settings),
        lambda: _listeners(settings),
        lambda: _patience(settings, remarks),
        lambda: _credentials(site),
    )
    for check in checks:
        try:
            errors += check()
        except SpoolError as error:
            errors.append(str(error))
    with contextlib.suppress(SpoolError):  # what keeps us from counting is among the errors
        remarks += _users_without_verifiers(site, settings)
    return Findings(tuple(dict.fromkeys(errors)), tuple(remarks))


def _plan(site: Site, settings: SiteSettings, remarks: list[str]) -> Iterator[str]:
    service_plan(site, settings, remarks.append)
    root, service = settings.spool.root, service_identity(settings)
    with durable.storage_errors(root):
        owner = root.stat().st_uid
    if owner not in {0, service.uid}:
        remarks.append(
            f"{root}: belongs to uid {owner}, neither to root nor to the service, uid {service.uid}; spool-deliver "
            "takes the owner's for the uid that users share"
        )
    yield from ()


def _assignments(site: Site) -> Iterator[str]:
    assigned = AssignText.read(site.assign)
    try:
        compiled = site.assign_compiled.read_bytes()
    except OSError as error:
        yield f"{site.assign_compiled}: {error.strerror}; run spool-assign compile"
        return
    if compiled != b"".join(compile_plain(assigned.pieces())):
        yield f"{site.assign_compiled}: does not say what {site.assign} says; run spool-assign compile"


def _domains(site: Site) -> Iterator[str]:
    local = Locals(site.locals).all()
    domains = Domains(site.domains)
    for user, _ in AssignDirectory(site.assign_compiled).users():
        for domain in sorted((domains.of(user) or frozenset()) - local):
            yield f"{site.domains}: user {user}: {domain} is not in {site.locals}"


def _quotas(site: Site, remarks: list[str]) -> Iterator[str]:
    remarks += _strangers(site, site.quotas, Limits(site.quotas, None).all())
    yield from ()


def _programs(site: Site, settings: SiteSettings, remarks: list[str]) -> Iterator[str]:
    remarks += _strangers(site, site.programs, ProgramShares(site.programs, settings.delivery).all())
    yield from ()


def _program_user(site: Site, settings: SiteSettings) -> Iterator[str]:
    try:
        account = pwd.getpwnam(settings.delivery.program_user or "")
    except KeyError:
        return  # none is named, or the plan says that there is none
    for user, record in AssignDirectory(site.assign_compiled).users():
        if record.uid == account.pw_uid:
            yield f"[delivery] program_user: {account.pw_name} is user {user}, whose mail others' programs could read"
            return


def _listeners(settings: SiteSettings) -> Iterator[str]:
    for listener in settings.listeners:
        address = parse_address(listener.address)
        if isinstance(address, UnixAddress) and not address.path.parent.is_dir():
            yield f"listener {address}: {address.path.parent}: no such directory"


def _patience(settings: SiteSettings, remarks: list[str]) -> Iterator[str]:
    smarthost, reply = settings.delivery.smarthost_seconds, settings.lmtp.reply_seconds
    lmtp = any(listener.protocol == "lmtp" for listener in settings.listeners)
    if settings.delivery.smarthost and lmtp and smarthost >= reply:
        remarks.append(
            f"[delivery] smarthost_seconds = {smarthost:g} is not below [lmtp] reply_seconds = {reply:g}: what the "
            "smarthost takes in between is sent to it again"
        )
    yield from ()


def _strangers(site: Site, file: Path, named: Iterable[UserName]) -> list[str]:
    """Say whom a control file names that is no user; nobody is looked up for a file that names none."""
    wanted = list(named)
    users = {user for user, _ in AssignDirectory(site.assign_compiled).users()} if wanted else set()
    return [f"{file}: there is no user {user}" for user in wanted if user not in users]


def _credentials(site: Site) -> Iterator[str]:
    credentials = Credentials.in_directory(site.control)
    yield from credentials.passwd.faults()


def _users_without_verifiers(site: Site, settings: SiteSettings) -> tuple[str, ...]:
    users = (user for user, _ in AssignDirectory(site.assign_compiled).users())
    return Credentials.in_directory(site.control).describe_missing(settings.auth, users)
