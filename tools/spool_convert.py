"""spool-convert: converts mailboxes between Maildir and mbox, while mail arrives in them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from spool.converting.converter import convert_mailboxes
from spool.converting.options import GRACE_SECONDS, Action, Converted, ConvertOptions, Outcome, UserConverted
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
    if bool(options.users) == (options.all or options.domain is not None):
        parser.error("name users, or give --all or --domain")
    return run("spool-convert", lambda: _convert(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="spool-convert", description=__doc__, epilog=EXIT_STATUSES)
    add_operation_options(parser)
    parser.add_argument("users", metavar="USER", nargs="*", help="whose mailboxes")
    parser.add_argument("--all", action="store_true", help="those of all users")
    parser.add_argument("--domain", metavar="D", help="those of all users who belong to this domain")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--to", dest="action", metavar="KIND", type=_kind, help="maildir or mbox")
    action.add_argument(
        "--undo", dest="action", action="store_const", const=Action.UNDO, help="convert back what was converted"
    )
    action.add_argument(
        "--discard",
        dest="action",
        action="store_const",
        const=Action.DISCARD,
        help="take over late mail, and remove former mailboxes whose grace is over",
    )
    parser.add_argument(
        "--grace-seconds",
        metavar="N",
        type=float,
        default=GRACE_SECONDS,
        help="with --discard: how long former mailboxes are kept at least (default: a day)",
    )
    return parser


def _kind(text: str) -> Action:
    kinds = {action.value: action for action in Action if action.kind is not None}
    if text not in kinds:
        raise argparse.ArgumentTypeError(f"{text!r}: expected {' or '.join(kinds)}")
    return kinds[text]


def _convert(options: argparse.Namespace) -> int:
    site = site_of(options)
    wanted = ConvertOptions(
        action=options.action,
        users=tuple(map(UserName, options.users)) or None,
        domain=chosen_domain(options, site),
        grace_seconds=options.grace_seconds,
        dry_run=options.dry_run,
    )
    settings = read_site_settings(site)
    with shown_progress() as progress:
        converted = convert_mailboxes(site, settings.spool, wanted, progress, uid_min=settings.service.uid_min)
    if options.json:
        print_json(converted)
    else:
        _print(converted, dry_run=options.dry_run)
    if converted.of(Outcome.TROUBLE):
        return EXIT_NEEDS_PERSON
    return EXIT_BUSY if converted.of(Outcome.BUSY) else EXIT_OK


def _print(converted: Converted, *, dry_run: bool) -> None:
    for user in converted.users:
        if user.outcome in {Outcome.BUSY, Outcome.TROUBLE}:
            print(f"spool-convert: {user.user}: {user.outcome.value}: {user.detail}", file=sys.stderr)
        elif user.outcome is Outcome.DONE:
            print(f"{user.user}: {_done(user, dry_run=dry_run)}")
    counts = (f"{len(converted.of(outcome))} {outcome.value}" for outcome in Outcome)
    print(", ".join(counts))


def _done(user: UserConverted, *, dry_run: bool) -> str:
    kind = user.kind.value if user.kind else ""
    if dry_run:
        return f"would discard {user.discarded}" if user.discarded else f"would become {kind}"
    parts = [f"{kind}, {user.messages} messages converted"]
    if user.altered:
        parts.append(f"{user.altered} of them with other octets")
    if user.late:
        parts.append(f"{user.late} taken over late")
    if user.discarded:
        parts.append(f"{user.discarded} former mailboxes discarded")
    return ", ".join(parts)
