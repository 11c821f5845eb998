"""mailspool config: check a site's settings and control files, or show the settings that hold."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spool.settings_file import format_toml
from tools.command import EXIT_FAILED, EXIT_OK, add_site_option, site_of
from tools.site_check import check_site
from tools.site_settings import LISTENERS, SECTIONS, read_site_settings


def add_to(commands: Any) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser("config", help="check or show a site's settings", description=__doc__)
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    check = actions.add_parser("check", help="report everything that is wrong with the site; exit 1 if anything is")
    add_site_option(check)
    check.set_defaults(run=_check)
    show = actions.add_parser("show", help="print all settings with their defaults, as TOML")
    add_site_option(show)
    show.set_defaults(run=_show)


def _check(options: argparse.Namespace) -> int:
    findings = check_site(site_of(options))
    for remark in findings.remarks:
        print(remark)
    for error in findings.errors:
        print(f"mailspool: {error}", file=sys.stderr)
    if findings.errors:
        return EXIT_FAILED
    print("ok")
    return EXIT_OK


def _show(options: argparse.Namespace) -> int:
    settings = read_site_settings(site_of(options))
    tables: dict[str, Any] = {name: _plain(getattr(settings, name)) for name in SECTIONS}
    tables[LISTENERS] = [_plain(listener) for listener in settings.listeners]
    print(format_toml(tables), end="")
    return EXIT_OK


def _plain(settings: Any) -> dict[str, Any]:
    return {
        key: str(value) if isinstance(value, Path) else value
        for key, value in asdict(settings).items()
        if value is not None
    }
