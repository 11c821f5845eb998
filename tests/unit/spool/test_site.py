"""Tests of ``spool.site``."""

from __future__ import annotations

from pathlib import Path

from spool.site import Site


def test_a_site_is_a_settings_file_and_a_directory_of_lists() -> None:
    site = Site(Path("/s"))
    assert site.settings_file == Path("/s/mailspool.toml")
    assert [
        site.assign,
        site.assign_compiled,
        site.assign_lock,
        site.locals,
        site.domains,
        site.passwd,
        site.apop,
        site.certificates,
    ] == [
        Path("/s/control") / name
        for name in ("assign", "assign.cdb", "assign.lock", "locals", "domains", "passwd", "apop", "certificates")
    ]
