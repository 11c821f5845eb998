"""mailspool status: what the running service is doing."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from serving.status import ask_status
from spool.errors import SpoolError
from tools.command import EXIT_OK, add_site_option, site_of
from tools.service import status_path
from tools.site_settings import read_site_settings


class ServiceUnreachableError(SpoolError):
    """Nobody answers where the running service would."""


def add_to(commands: Any) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser("status", help="what the running service is doing", description=__doc__)
    add_site_option(parser)
    parser.add_argument("--json", action="store_true", help="print everything as one JSON object")
    parser.set_defaults(run=_status)


def _status(options: argparse.Namespace) -> int:
    site = site_of(options)
    path = status_path(site, read_site_settings(site))
    try:
        report = ask_status(path)
    except (OSError, ValueError) as error:
        raise ServiceUnreachableError(f"{path}: no answer, is the service running? ({error})") from error
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        _print_table(report)
    return EXIT_OK


def _print_table(report: Mapping[str, Any]) -> None:
    # Imported here: the other commands need no table and start 30 ms sooner.
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    console = Console(soft_wrap=True)
    console.print(f"up {report['uptime_seconds']:.0f} s, listening on {', '.join(report['listeners'])}")
    table = Table("process", "pid", "state", "up", "figures")
    for child in report["children"]:
        figures = ", ".join(f"{name} {value}" for name, value in child.get("counters", {}).items())
        table.add_row(child["role"], str(child["pid"]), child["state"], f"{child['uptime_seconds']:.0f} s", figures)
    console.print(table)
