"""mailspool init: make a ready site; refuse to touch an existing one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from spool.layouts import LAYOUTS
from tools.command import EXIT_OK
from tools.site_making import TEMPLATES, NewSite, make_site


def add_to(commands: Any) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser("init", help="make a ready site", description=__doc__)
    parser.add_argument("directory", metavar="DIR", type=Path, help="the site's directory: new, or empty")
    parser.add_argument("--spool-root", metavar="DIR", type=Path, help="where mail lies (default: DIR/spool)")
    parser.add_argument("--layout", choices=tuple(LAYOUTS), help="how homes are hashed (default: letter)")
    parser.add_argument("--maildrop", choices=tuple(TEMPLATES), default="maildir", help="what new users get")
    parser.add_argument("--user", metavar="ACCOUNT", help="as root: whom the service runs as (default: mailspool)")
    parser.add_argument(
        "--listen", metavar="PROTOCOL=ADDRESS:PORT", action="append", default=[], help="pop3=127.0.0.1:110, may repeat"
    )
    parser.add_argument("--set", metavar="SECTION.KEY=VALUE", action="append", default=[], help="any setting")
    parser.set_defaults(run=_init)


def _init(options: argparse.Namespace) -> int:
    settings = make_site(
        NewSite(
            directory=options.directory,
            spool_root=options.spool_root,
            layout=options.layout,
            maildrop=options.maildrop,
            account=options.user,
            listeners=options.listen,
            overrides=options.set,
        )
    )
    print(f"made {options.directory}; mail lies under {settings.spool.root}")
    return EXIT_OK
