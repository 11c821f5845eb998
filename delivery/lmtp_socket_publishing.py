"""Telling ``spool-deliver`` where the service takes mail over: writes what ``delivery.lmtp_socket`` reads."""

from __future__ import annotations

from delivery.lmtp_socket import FILE, LmtpSocket, file_content
from spool import durable
from spool.site import Site


def publish_lmtp_socket(site: Site, told: LmtpSocket | None, settings: bytes) -> None:
    """Say where the service of a site takes mail over, or that it does not (None).

    Readers find the old file or the new one. A crash may lose it: then messages are delivered without the service.

    Args:
        site: the site.
        told: where.
        settings: ``mailspool.toml`` before ``told`` was read from it: should it have changed meanwhile, nobody
            believes what is written here.

    Raises:
        OSError: it cannot be written, and what was there is stale or gone.
    """
    file = site.directory / FILE
    if told is None or b"\n" in told.path:
        durable.remove(file)
        return
    content = file_content(site.directory.stat(), told, settings)
    durable.replace_file(file, [content], mode=0o644)
