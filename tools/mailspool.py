"""mailspool: make a site, keep its users, check its settings, serve it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.metadata import version

from tools import command, mailspool_config, mailspool_init, mailspool_serve, mailspool_status, mailspool_user


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is the return value."""
    options = _parser().parse_args(argv)
    return command.run("mailspool", lambda: int(options.run(options)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mailspool", description=__doc__)
    parser.add_argument("--version", action="version", version=f"mailspool {version('mailspool')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (mailspool_init, mailspool_user, mailspool_config, mailspool_serve, mailspool_status):
        module.add_to(commands)
    return parser
