"""spool-quota: what users have in their mailboxes and what they may have, and the limits of single users."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from spool.assign_directory import AssignDirectory
from spool.names import UserName
from spool.quota.report import UserQuota, report_quotas
from spool.quota.table import change_limit
from spool.site_mailboxes import SiteMailboxes
from tools.command import EXIT_OK, add_site_option, run, site_of
from tools.operation import EXIT_BUSY, EXIT_NEEDS_PERSON, EXIT_STATUSES, chosen_domain, print_json, shown_progress
from tools.site_settings import read_site_settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is the return value."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.run is _show and bool(options.user) == (options.all or options.domain is not None):
        parser.error("name users, or say --all or --domain")
    return run("spool-quota", lambda: int(options.run(options)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="spool-quota", description=__doc__, epilog=EXIT_STATUSES)
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    show = actions.add_parser("show", help="print usage, limit and share")
    add_site_option(show)
    show.add_argument("user", metavar="USER", nargs="*")
    show.add_argument("--all", action="store_true", help="all users")
    show.add_argument("--domain", metavar="D", help="all users who belong to this domain")
    show.add_argument("--recalculate", action="store_true", help="count what there is, and keep the figure")
    show.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    show.set_defaults(run=_show)
    set_ = actions.add_parser("set", help="give a user a limit of their own")
    add_site_option(set_)
    set_.add_argument("user", metavar="USER")
    set_.add_argument("limit", metavar="LIMIT", help="such as 500M, 1G,10000 (octets, messages), or none")
    set_.add_argument("--dry-run", action="store_true", help="check user and limit, and change nothing")
    set_.add_argument("--json", action="store_true", help="print what is written as one JSON object")
    set_.set_defaults(run=_set)
    unset = actions.add_parser("unset", help="let the site's limit hold for a user again")
    add_site_option(unset)
    unset.add_argument("user", metavar="USER")
    unset.add_argument("--dry-run", action="store_true", help="change nothing")
    unset.add_argument("--json", action="store_true", help="print what is written as one JSON object")
    unset.set_defaults(run=_unset)
    return parser


def _show(options: argparse.Namespace) -> int:
    site = site_of(options)
    settings = read_site_settings(site)
    mailboxes = SiteMailboxes(site, settings.spool, settings.service.uid_min)
    with shown_progress() as progress:
        report = report_quotas(
            mailboxes,
            tuple(map(UserName, options.user)),
            domain=chosen_domain(options, site),
            recalculate=options.recalculate,
            progress=progress,
        )
    if options.json:
        print_json({"users": report})
    else:
        _print(report)
    if any(user.trouble and not user.busy for user in report):
        return EXIT_NEEDS_PERSON
    return EXIT_BUSY if any(user.busy for user in report) else EXIT_OK


def _print(report: Sequence[UserQuota]) -> None:
    row = "{:<24} {:>16} {:>10} {:>16} {:>10} {:>6}"
    print(row.format("user", "octets", "messages", "octets max", "messages max", "share"))
    for user in report:
        if user.trouble:
            print(f"spool-quota: {user.user}: {user.trouble}", file=sys.stderr)
            continue
        numbers = (user.octets, user.messages, user.octets_max, user.messages_max)
        share = "-" if user.share is None else f"{user.share:.0%}"
        print(row.format(user.user.text, *("-" if number is None else number for number in numbers), share))


def _set(options: argparse.Namespace) -> int:
    return _change(options, options.limit)


def _unset(options: argparse.Namespace) -> int:
    return _change(options, None)


def _change(options: argparse.Namespace, limit: str | None) -> int:
    site, user = site_of(options), UserName(options.user)
    if limit is not None:
        AssignDirectory(site.assign_compiled).user(user)
    change_limit(site, user, limit, dry_run=options.dry_run)
    if options.json:
        print_json({"user": user, "limit": limit, "changed": not options.dry_run})
    return EXIT_OK
