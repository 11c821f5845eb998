"""spool-import: moves the mboxes of an old spool into the mailboxes of users, while both are in use."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from spool.foreign_ids.sources import SOURCES, SourceOptions, source_named
from spool.importing.importer import import_spool
from spool.importing.old_spool import old_layout_named
from spool.importing.options import Emptied, Imported, ImportOptions, Outcome
from spool.names import UserName
from tools.command import EXIT_OK, run, site_of
from tools.operation import (
    EXIT_BUSY,
    EXIT_NEEDS_PERSON,
    EXIT_STATUSES,
    add_operation_options,
    chosen_domain,
    print_json,
    shown_progress,
)
from tools.site_settings import read_site_settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is the return value."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.ids is None and (options.ids_format or options.ids_file):
        parser.error("--ids-format and --ids-file go with --ids")
    return run("spool-import", lambda: _import(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="spool-import", description=__doc__, epilog=EXIT_STATUSES)
    add_operation_options(parser)
    parser.add_argument("old_spool", metavar="OLDSPOOL", type=Path, help="the directory with the old mboxes")
    parser.add_argument("--user", metavar="NAME", action="append", help="only this user")
    parser.add_argument(
        "--exclude", metavar="NAME", action="append", default=[], help="leave out the mailbox or file of this name"
    )
    parser.add_argument("--domain", metavar="D", help="only users who belong to this domain")
    parser.add_argument(
        "--old-layout",
        metavar="LAYOUT",
        default="flat",
        help="where in OLDSPOOL a user's mbox lies: a layout of ours, or procmail1 to procmail9 (default: flat)",
    )
    parser.add_argument("--drops", metavar="DIR", type=Path, help="where qpopper's .USER.pop lie, if not in OLDSPOOL")
    emptied = parser.add_mutually_exclusive_group()
    emptied.add_argument(
        "--keep", dest="emptied", action="store_const", const=Emptied.KEEP, help="leave emptied mboxes (default)"
    )
    emptied.add_argument("--remove", dest="emptied", action="store_const", const=Emptied.REMOVE, help="remove them")
    emptied.add_argument(
        "--link", dest="emptied", action="store_const", const=Emptied.LINK, help="put links to the new mboxes there"
    )
    parser.set_defaults(emptied=Emptied.KEEP)
    parser.add_argument("--ids", metavar="SOURCE", choices=SOURCES, help=f"keep unique-ids: {', '.join(SOURCES)}")
    parser.add_argument("--ids-format", metavar="FORMAT", help="dovecot: its pop3_uidl_format; qpopper: old-style")
    parser.add_argument("--ids-file", metavar="PATH", help="the file of ids, with {user}")
    return parser


def _import(options: argparse.Namespace) -> int:
    site = site_of(options)
    wanted = ImportOptions(
        old_spool=options.old_spool.absolute(),
        layout=old_layout_named(options.old_layout),
        users=tuple(map(UserName, options.user)) if options.user else None,
        excluded=frozenset(options.exclude),
        domain=chosen_domain(options, site),
        drops=options.drops.absolute() if options.drops else None,
        emptied=options.emptied,
        ids=source_named(options.ids, SourceOptions(options.ids_format, options.ids_file)) if options.ids else None,
        dry_run=options.dry_run,
    )
    settings = read_site_settings(site)
    with shown_progress() as progress:
        imported = import_spool(site, settings.spool, wanted, progress, uid_min=settings.service.uid_min)
    if options.json:
        print_json(imported)
    else:
        _print(imported, dry_run=options.dry_run)
    if imported.unknown or imported.of(Outcome.TROUBLE):
        return EXIT_NEEDS_PERSON
    return EXIT_BUSY if imported.of(Outcome.BUSY) else EXIT_OK


def _print(imported: Imported, *, dry_run: bool) -> None:
    for user in imported.users:
        if user.messages:
            print(f"{user.user}: {user.messages} messages {'to import' if dry_run else 'imported'}")
        if user.outcome is not Outcome.DONE:
            print(f"spool-import: {user.user}: {user.outcome.value}: {user.detail}", file=sys.stderr)
    for path in imported.unknown:
        print(f"spool-import: {path}: not in a mailbox's place; not touched", file=sys.stderr)
    for path in imported.without_user:
        print(f"{path}: a mailbox without a user; not touched")
    print(
        f"{imported.messages} messages of {len(imported.users)} users, {len(imported.of(Outcome.BUSY))} busy, "
        f"{len(imported.of(Outcome.TROUBLE))} in trouble"
    )
