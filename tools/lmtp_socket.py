"""Tells ``spool-deliver`` where the service that is about to run takes mail over."""

from __future__ import annotations

import os
from collections.abc import Callable

from delivery.lmtp_socket import LmtpSocket
from delivery.lmtp_socket_publishing import publish_lmtp_socket
from serving.settings import UnixAddress
from spool.site import Site
from tools.site_settings import SiteSettings


def settings_octets(site: Site) -> bytes:
    """Return ``mailspool.toml`` as it is; nothing where it cannot be read, which whoever parses it reports."""
    try:
        return site.settings_file.read_bytes()
    except OSError:
        return b""


def tell_deliverers(site: Site, settings: SiteSettings, read_from: bytes, warn: Callable[[str], None]) -> None:
    """Publish the first LMTP listener on a UNIX socket; without one messages are delivered without the service.

    Args:
        site: the site.
        settings: its settings.
        read_from: ``settings_octets`` before they were read.
        warn: takes what the operator should hear.
    """
    sockets = [listener.socket_address for listener in settings.listeners if listener.protocol == "lmtp"]
    paths = [os.fsencode(address.path) for address in sockets if isinstance(address, UnixAddress)]
    try:
        publish_lmtp_socket(site, LmtpSocket(paths[0], os.geteuid()) if paths else None, read_from)
    except OSError as error:
        warn(f"spool-deliver will not hand mail over to this service: {error}")
