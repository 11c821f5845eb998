"""Makes a new site, ready to serve.

The site is built beside its place and renamed into it, so that it is there whole or not at all.
"""

from __future__ import annotations

import ipaddress
import os
import pwd
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from serving.certificates import make_self_signed
from serving.settings import InternetAddress, ListenerSettings, UnixAddress
from spool import durable
from spool.assign import publish_assign
from spool.errors import MalformedNameError, SettingsError
from spool.names import DomainName
from spool.settings_file import format_toml, parse_override, with_override
from spool.site import Site
from tools.site_settings import LISTENERS, SECTIONS, SiteSettings, check_site_settings

SERVICE_ACCOUNT: Final = "mailspool"
AUTHENTICATOR_ACCOUNT: Final = "mailspool-auth"
TEMPLATES: Final[Mapping[str, Sequence[str]]] = {
    "maildir": ("{home}/Maildir/", "{home}/Mailbox"),
    # The mbox stands first, so that new users get one, and last again, because the last may be missing: some mail
    # readers remove an empty mbox.
    "mbox": ("{home}/Mailbox", "{home}/Maildir/", "{home}/Mailbox"),
}

_COMMENTS: Final = {
    "spool": "Where mail lies. A user's home is computed by the layout once, when the user is added, and\n"
    "then stored in control/assign.",
    "spool.maildrop": "The first of these that exists in a user's home is the mailbox; a trailing slash means Maildir.",
    "service": "Who the workers run as; uid 0 is refused.",
    "listener": "POP3 with STLS, POP3S (implicit TLS), or LMTP, where whoever can connect can deliver to everybody.",
    "auth": "Who may log in; `mailspool config show` prints every key with its default.",
}
_LOCAL_LISTENER: Final = """
# Where there is a listener like this one, spool-deliver hands mail over to the service, while that runs.
# [[listener]]
# protocol = "lmtp"
# address = "unix:{directory}/run/lmtp"
"""
_CONTROL_FILES: Final[Mapping[str, str]] = {
    "domains": "# user:domain, a line each; a user without a line belongs to every local domain\n",
    "certificates": "# email:ADDRESS:user, dns:NAME:user, subject:RFC 4514 NAME:user or sha256:FINGERPRINT:user\n",
}


@dataclass(frozen=True, slots=True)
class NewSite:
    """What the operator asked for. ``listeners`` are ``PROTOCOL=ADDRESS``, ``overrides`` ``SECTION.KEY=VALUE``."""

    directory: Path
    spool_root: Path | None = None
    layout: str | None = None
    maildrop: str = "maildir"
    account: str | None = None
    listeners: Sequence[str] = ()
    overrides: Sequence[str] = ()


def make_site(new: NewSite) -> SiteSettings:
    """Make the site, and its spool root where that is missing.

    Holds from the rename of the finished directory on. A crash before that leaves ``NAME.new``, which the next run
    removes, and perhaps an empty spool root.

    Raises:
        SettingsError: there is a site already, or what was asked for does not fit together; nothing was made.
        SpoolError: it could not be made.
    """
    directory = new.directory.absolute()
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise SettingsError(f"{directory}: there is something already; a site is made in a new directory")
    account = _account(new.account)
    tables = _tables(new, directory, account)
    settings = check_site_settings(Site(directory), tables)
    building = directory.with_name(f"{directory.name}.new")
    with durable.storage_errors(directory):
        if building.exists():
            shutil.rmtree(building)
        directory.parent.mkdir(parents=True, exist_ok=True)
        _fill(Site(building), _settings_text(directory, tables, settings), settings)
        root = settings.spool.root
        if root.is_relative_to(directory):
            root = building / root.relative_to(directory)
        _make_spool_root(root, account)
        durable.rename(building, directory)
        durable.sync_directory(directory.parent)
    return settings


def _account(named: str | None) -> pwd.struct_passwd:
    if os.geteuid():
        own = pwd.getpwuid(os.geteuid())
        if named not in {None, own.pw_name}:
            raise SettingsError(f"--user {named}: only root can make a site of another account")
        return own
    try:
        found = pwd.getpwnam(named or SERVICE_ACCOUNT)
    except KeyError:
        raise SettingsError(
            f"there is no account {named or SERVICE_ACCOUNT}; make one (useradd --system), or name another by --user"
        ) from None
    if found.pw_uid == 0:
        raise SettingsError("--user: the service does not run as uid 0")
    return found


def _tables(new: NewSite, directory: Path, account: pwd.struct_passwd) -> Mapping[str, Any]:
    tables: Mapping[str, Any] = {
        "spool": {
            "root": str((new.spool_root or directory / "spool").absolute()),
            **({"layout": new.layout} if new.layout else {}),
            "maildrop": TEMPLATES[new.maildrop],
        },
        "service": {"user": account.pw_name} if os.geteuid() == 0 else {},
    }
    for override in new.overrides:
        tables = with_override(tables, parse_override(override, SECTIONS))
    tables = {**tables, LISTENERS: [_listener(text) for text in new.listeners]}
    return {section: table for section, table in tables.items() if table}


def _listener(text: str) -> Mapping[str, str]:
    protocol, equals, address = text.partition("=")
    if not equals:
        raise SettingsError(f"--listen: expected PROTOCOL=ADDRESS:PORT, found {text!r}")
    # One certificate for all: POP3 listeners use it for STLS, LMTP listeners for STARTTLS.
    return {
        "protocol": protocol,
        "address": address,
        "certificate": "tls/certificate.pem",
        "key": "tls/key.pem",
    }


def _make_spool_root(root: Path, account: pwd.struct_passwd) -> None:
    if not root.exists():
        root.parent.mkdir(parents=True, exist_ok=True)
        owner = (account.pw_uid, account.pw_gid) if os.geteuid() == 0 else None
        durable.make_directory(root, mode=0o711, owner=owner)
        durable.sync_directory(root.parent)


def _settings_text(directory: Path, tables: Mapping[str, Any], settings: SiteSettings) -> str:
    text = format_toml(tables, _COMMENTS)
    if settings.listeners and not any(_takes_mail_locally(listener) for listener in settings.listeners):
        text += _LOCAL_LISTENER.format(directory=directory)
    return text


def _takes_mail_locally(listener: ListenerSettings) -> bool:
    return listener.protocol == "lmtp" and isinstance(listener.socket_address, UnixAddress)


def _fill(site: Site, settings_text: str, settings: SiteSettings) -> None:
    durable.make_directory(site.directory, mode=0o755)
    durable.make_directory(site.control, mode=0o755)
    durable.make_directory(site.directory / "run", mode=0o755)
    durable.make_directory(site.directory / "tls", mode=0o755)
    if settings.listeners:
        certificate, key = make_self_signed(socket.gethostname(), "localhost", *_listening_hosts(settings))
        durable.create_file(site.directory / "tls" / "certificate.pem", [certificate], mode=0o644)
        durable.create_file(site.directory / "tls" / "key.pem", [key], mode=0o600)
    durable.create_file(site.assign, [b".\n"], mode=0o644)
    publish_assign((), site.assign_compiled)
    durable.create_file(site.locals, [f"{_own_domain()}\n".encode()], mode=0o644)
    for name, content in _CONTROL_FILES.items():
        durable.create_file(site.control / name, [content.encode()], mode=0o644)
    for secrets in (site.passwd, site.apop):
        durable.create_file(secrets, [b""], mode=0o600, owner=_secrets_owner())
    durable.create_file(site.settings_file, [settings_text.encode()], mode=0o644)
    durable.sync_directory(site.control)
    durable.sync_directory(site.directory)


def _listening_hosts(settings: SiteSettings) -> Iterator[str]:
    """The addresses a client may connect to; 0.0.0.0 and [::] say nothing of them."""
    for listener in settings.listeners:
        match listener.socket_address:
            case InternetAddress(host) if not ipaddress.ip_address(host).is_unspecified:
                yield host


def _own_domain() -> DomainName:
    try:
        return DomainName(socket.gethostname().lower())
    except MalformedNameError:
        return DomainName("localhost")


def _secrets_owner() -> tuple[int, int] | None:
    """The authenticator runs as whoever owns the password file; an account of its own, where there is one."""
    if os.geteuid():
        return None
    try:
        found = pwd.getpwnam(AUTHENTICATOR_ACCOUNT)
    except KeyError:
        return None
    return found.pw_uid, found.pw_gid
