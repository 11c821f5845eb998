"""spool-assign: the table of users, in qmail's formats: as text, as database, and from other directories."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Final

from spool.assign import format_assign, publish_plain
from spool.assign_directory import AssignDirectory
from spool.assign_text import AssignText
from spool.errors import NoSuchUserError
from tools import assign_sources
from tools.command import EXIT_OK, add_site_option, run, site_of

EXIT_NOT_ASSIGNED: Final = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is the return value."""
    options = _parser().parse_args(argv)
    return run("spool-assign", lambda: int(options.run(options)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spool-assign",
        description=__doc__,
        epilog="exit status: 0 done, 1 could not run, 2 usage, 3 not assigned, 4 some homes could not be made",
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    compile_ = actions.add_parser("compile", help="make assign.cdb from assign, atomically")
    add_site_option(compile_)
    compile_.add_argument("--dry-run", action="store_true", help="check the text and change nothing")
    compile_.set_defaults(run=_compile)
    lookup = actions.add_parser("lookup", help="print which record an address's local part has; exit 3 if none")
    add_site_option(lookup)
    lookup.add_argument("--json", action="store_true")
    lookup.add_argument("name", metavar="NAME")
    lookup.set_defaults(run=_lookup)
    dump = actions.add_parser("dump", help="print assign.cdb as text")
    add_site_option(dump)
    dump.set_defaults(run=_dump)
    assign_sources.add_to(actions)
    return parser


def _compile(options: argparse.Namespace) -> int:
    site = site_of(options)
    assigned = AssignText.read(site.assign)
    if not options.dry_run:
        publish_plain(assigned.pieces(), site.assign_compiled)
    print(f"{assigned.count()} assignments")
    return EXIT_OK


def _lookup(options: argparse.Namespace) -> int:
    try:
        match = AssignDirectory(site_of(options).assign_compiled).lookup(options.name)
    except NoSuchUserError as error:
        print(f"spool-assign: {error}", file=sys.stderr)
        return EXIT_NOT_ASSIGNED
    record = match.record
    found = {
        "user": record.user,
        "uid": record.uid,
        "gid": record.gid,
        "home": str(record.home),
        "dash": record.dash,
        "extension": record.extension,
        "wildcard": match.prefix,
    }
    if options.json:
        print(json.dumps(found))
    else:
        for key, value in found.items():
            print(f"{key}: {'' if value is None else value}")
    return EXIT_OK


def _dump(options: argparse.Namespace) -> int:
    lines = AssignDirectory(site_of(options).assign_compiled).lines()
    sys.stdout.buffer.write(format_assign(lines))
    return EXIT_OK
