"""spool-expire: removes mail by age from the mailboxes of users, as sessions of theirs would."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from spool.expiry import Expired, ExpiryRules, Outcome, expire_mail
from spool.names import UserName
from spool.settings import SpoolSettings
from spool.site_mailboxes import SiteMailboxes
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
    options = _parser().parse_args(argv)
    return run("spool-expire", lambda: _expire(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="spool-expire", description=__doc__, epilog=EXIT_STATUSES)
    add_operation_options(parser)
    parser.add_argument("--user", metavar="NAME", action="append", default=[], help="only this user")
    parser.add_argument("--domain", metavar="D", help="only users who belong to this domain")
    parser.add_argument("--older-than", metavar="DAYS", type=int, help="remove mail of this age, fetched or not")
    parser.add_argument(
        "--fetched-older-than", metavar="DAYS", type=int, help="remove mail of this age that was fetched"
    )
    return parser


def _expire(options: argparse.Namespace) -> int:
    site = site_of(options)
    settings = read_site_settings(site)
    rules = _rules(options, settings.spool)
    rules.check_promise(settings.pop3.expire_days)
    with shown_progress() as progress:
        expired = expire_mail(
            SiteMailboxes(site, settings.spool, settings.service.uid_min),
            rules,
            tuple(map(UserName, options.user)),
            domain=chosen_domain(options, site),
            now=time.time(),
            dry_run=options.dry_run,
            progress=progress,
        )
    if options.json:
        print_json(expired)
    else:
        _print(expired)
    if expired.of(Outcome.FAILED):
        return EXIT_NEEDS_PERSON
    return EXIT_BUSY if expired.of(Outcome.BUSY) else EXIT_OK


def _rules(options: argparse.Namespace, settings: SpoolSettings) -> ExpiryRules:
    if options.older_than is None and options.fetched_older_than is None:
        return ExpiryRules(settings.expire_days, settings.expire_fetched_days)
    return ExpiryRules(options.older_than, options.fetched_older_than)


def _print(expired: Expired) -> None:
    done = "to remove" if expired.dry_run else "removed"
    for user in expired.users:
        if user.trouble:
            print(f"spool-expire: {user.user}: {user.outcome.value}: {user.trouble}", file=sys.stderr)
        elif user.messages:
            print(f"{user.user}: {user.messages} messages {done}, {user.octets} octets")
    messages, octets = sum(user.messages for user in expired.users), sum(user.octets for user in expired.users)
    print(
        f"{messages} messages {done}, {octets} octets, of {len(expired.users)} users; "
        f"{len(expired.of(Outcome.BUSY))} busy, {len(expired.of(Outcome.FAILED))} failed"
    )
