"""mailspool serve: run the service in the foreground until SIGTERM; SIGHUP reloads settings and certificates."""

from __future__ import annotations

import argparse
import logging
import os
from typing import Any, Final

from serving.generations import SupervisorPlan
from serving.plain_logging import start_plain_logging
from serving.sockets import inherited_sockets
from serving.supervisor import Supervisor
from tools.command import add_site_option, site_of
from tools.lmtp_socket import settings_octets, tell_deliverers
from tools.preload import preload
from tools.service import service_plan
from tools.site_settings import read_site_settings

_log: Final = logging.getLogger("mailspool")


def add_to(commands: Any) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser("serve", help="run the service in the foreground", description=__doc__)
    add_site_option(parser)
    parser.add_argument(
        "--set", metavar="SECTION.KEY=VALUE", action="append", default=[], help="any setting, for this run"
    )
    parser.set_defaults(run=_serve)


def _serve(options: argparse.Namespace) -> int:
    site = site_of(options)

    def plan() -> SupervisorPlan:
        read_from = settings_octets(site)
        settings = read_site_settings(site, options.set)
        warnings: list[str] = []
        made = service_plan(site, settings, warnings.append)
        tell_deliverers(site, settings, read_from, warnings.append)
        start_plain_logging(settings.log)  # not before: a reload that is refused changes nothing
        for warning in warnings:
            _log.warning("%s", warning)
        return made

    preload()
    supervisor = Supervisor(
        plan(),
        reload=plan,
        announce=lambda line: print(line, flush=True),
        inherited=inherited_sockets(os.environ, os.getpid()),
    )
    return supervisor.run()
