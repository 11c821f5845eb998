"""The settings of a whole site: every package's table of ``mailspool.toml``, read and checked together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from accounts.settings import AuthSettings
from delivery.settings import DeliverySettings
from mta.server.settings import LmtpSettings
from popd.server.settings import Pop3Settings
from serving.settings import (
    LimitsSettings,
    ListenerSettings,
    LogSettings,
    ServiceSettings,
    WorkersSettings,
    check_listeners,
)
from spool.errors import SettingsError
from spool.rehash.settings import RehashSettings
from spool.settings import SpoolSettings
from spool.settings_file import array_to, check_sections, parse_override, read_settings_file, table_to, with_override
from spool.site import Site

SECTIONS: Final[Mapping[str, type]] = {
    "spool": SpoolSettings,
    "delivery": DeliverySettings,
    "service": ServiceSettings,
    "workers": WorkersSettings,
    "auth": AuthSettings,
    "limits": LimitsSettings,
    "pop3": Pop3Settings,
    "lmtp": LmtpSettings,
    "log": LogSettings,
    "rehash": RehashSettings,
}
"""The tables, in the order in which they are written."""

LISTENERS: Final = "listener"


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """One site's settings, checked. ``listeners`` are the ``[[listener]]`` tables in their order."""

    spool: SpoolSettings
    delivery: DeliverySettings
    service: ServiceSettings
    workers: WorkersSettings
    auth: AuthSettings
    limits: LimitsSettings
    pop3: Pop3Settings
    lmtp: LmtpSettings
    log: LogSettings
    rehash: RehashSettings
    listeners: tuple[ListenerSettings, ...]


def read_site_settings(site: Site, overrides: Sequence[str] = ()) -> SiteSettings:
    """Read a site's settings; ``overrides`` are ``SECTION.KEY=VALUE`` for this run alone.

    Raises:
        SettingsError: naming file, section and key, what was expected and what was found.
    """
    tables = read_settings_file(site.settings_file)
    for text in overrides:
        tables = with_override(tables, parse_override(text, SECTIONS))
    return check_site_settings(site, tables)


def check_site_settings(site: Site, tables: Mapping[str, Any]) -> SiteSettings:
    """Check the tables of ``mailspool.toml``.

    Raises:
        SettingsError: as ``read_site_settings``.
    """
    file = site.settings_file
    check_sections(tables, [*SECTIONS, LISTENERS], file=file)
    settings: dict[str, Any] = {
        name: table_to(cls, tables.get(name, {}), file=file, section=name) for name, cls in SECTIONS.items()
    }
    listeners = array_to(ListenerSettings, tables.get(LISTENERS, []), file=file, section=LISTENERS)
    try:
        check_listeners(listeners)
    except ValueError as error:
        raise SettingsError(f"{file}: {LISTENERS}.{error}") from error
    try:
        settings["pop3"] = _with_announcement(settings["pop3"], settings["spool"])
    except ValueError as error:
        raise SettingsError(f"{file}: pop3.{error}") from error
    return SiteSettings(**settings, listeners=listeners)


def _with_announcement(pop3: Pop3Settings, spool: SpoolSettings) -> Pop3Settings:
    """Let EXPIRE say when spool-expire may remove mail, unless it says already that this may be even earlier."""
    ages = [days for days in (spool.expire_days, spool.expire_fetched_days) if days is not None]
    if not ages:
        return pop3
    if pop3.expire_days is None:
        return replace(pop3, expire_days=min(ages))
    if not 0 <= pop3.expire_days <= min(ages):
        raise ValueError(f"expire_days: expected 0 to {min(ages)}, because mail expires then, found {pop3.expire_days}")
    return pop3
