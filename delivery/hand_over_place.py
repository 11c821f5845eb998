"""Telling ``spool-deliver`` where the service takes mail over: the file that ``delivery.handing_over`` reads."""

from __future__ import annotations

from delivery.handing_over import PLACE_FILE, Place, file_content
from spool import durable
from spool.site import Site


def publish_place(site: Site, place: Place | None, settings: bytes) -> None:
    """Say where the service of a site takes mail over, or that it does not (None).

    Readers find the old file or the new one. A crash may lose it: then messages are delivered without the service.

    Args:
        site: the site.
        place: where.
        settings: ``mailspool.toml`` before ``place`` was read from it: should it have changed meanwhile, nobody
            believes what is written here.

    Raises:
        OSError: it cannot be written, and what was there is stale or gone.
    """
    file = site.directory / PLACE_FILE
    if place is None or b"\n" in place.path:
        durable.remove(file)
        return
    content = file_content(site.directory.stat(), place, settings)
    durable.replace_file(file, [content], mode=0o644)
