"""spool-uidl: the unique-ids of a mailbox, and taking over those that another server gave."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from spool.foreign_ids.sources import SOURCES, IdSource, LiveOptions, SourceOptions, live_source, source_named
from spool.foreign_ids.users import Outcome, Report, UserReport, import_ids, list_ids
from spool.names import UserName
from spool.site_mailboxes import SiteMailboxes
from tools.command import EXIT_OK, add_site_option, run, site_of
from tools.operation import (
    EXIT_BUSY,
    EXIT_MENDED,
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
    if options.run is _import:
        _check_import(parser, options)
    return run("spool-uidl", lambda: int(options.run(options)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="spool-uidl", description=__doc__, epilog=EXIT_STATUSES)
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    list_ = actions.add_parser("list", help="print number, size and unique-id of each message")
    add_site_option(list_)
    list_.add_argument("--json", action="store_true", help="print one JSON array instead of text")
    list_.add_argument("user", metavar="USER")
    list_.set_defaults(run=_list)
    import_ = actions.add_parser("import", help="take over the unique-ids of another server", epilog=EXIT_STATUSES)
    add_operation_options(import_)
    import_.add_argument("--user", metavar="NAME", action="append", default=[], help="only this user")
    import_.add_argument("--domain", metavar="D", help="only users of this local domain")
    import_.add_argument("--again", action="store_true", help="also where it was done before")
    source = import_.add_mutually_exclusive_group(required=True)
    source.add_argument("--from", dest="source", metavar="SOURCE", choices=SOURCES, help=" | ".join(SOURCES))
    source.add_argument("--match-live", metavar="HOST[:PORT]", help="log in to the old server and compare messages")
    stored = import_.add_argument_group("with --from")
    stored.add_argument("--format", metavar="FORMAT", help="dovecot: its pop3_uidl_format; qpopper: old-style")
    stored.add_argument("--file", metavar="PATH", help="the list, with {user}; else where the old server keeps it")
    live = import_.add_argument_group("with --match-live")
    live.add_argument("--credentials", metavar="FILE", type=Path, help="lines user:password, or *:password")
    live.add_argument("--login", metavar="NAME", default="{user}", help="the login name, with {user}")
    live.add_argument("--tls", choices=("tls", "stls", "none"), default="stls", help="default: stls")
    live.add_argument("--ca-file", metavar="FILE", type=Path, help="certificates to believe, instead of the system's")
    live.add_argument("--no-verify", action="store_true", help="believe any certificate")
    import_.set_defaults(run=_import)
    return parser


def _check_import(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse what argparse cannot express: options of the other kind of source, and the missing file of passwords."""
    live = options.match_live is not None
    if live and options.credentials is None:
        parser.error("--match-live needs --credentials")
    for name in ("format", "file") if live else ("credentials", "ca_file"):
        if getattr(options, name) is not None:
            parser.error(f"--{name.replace('_', '-')} does not go with {'--match-live' if live else '--from'}")


def _list(options: argparse.Namespace) -> int:
    messages = list_ids(_mailboxes(options), UserName(options.user))
    if options.json:
        print(json.dumps([dataclasses.asdict(message) for message in messages]))
    else:
        for message in messages:
            print(message.number, message.wire_octets, message.unique_id)
    return EXIT_OK


def _import(options: argparse.Namespace) -> int:
    mailboxes, source = _mailboxes(options), _source(options)
    with shown_progress() as progress:
        report = import_ids(
            mailboxes,
            source,
            users=[UserName(name) for name in options.user],
            domain=chosen_domain(options, mailboxes.site),
            dry_run=options.dry_run,
            again=options.again,
            progress=progress,
        )
    if options.json:
        print_json(report)
    else:
        _print(report)
    return _status(report)


def _mailboxes(options: argparse.Namespace) -> SiteMailboxes:
    site = site_of(options)
    settings = read_site_settings(site)
    return SiteMailboxes(site, settings.spool, settings.service.uid_min)


def _source(options: argparse.Namespace) -> IdSource:
    if options.match_live is None:
        return source_named(options.source, SourceOptions(options.format, options.file))
    return live_source(
        LiveOptions(
            address=options.match_live,
            credentials=options.credentials,
            login=options.login,
            security=options.tls,
            ca_file=options.ca_file,
            verify=not options.no_verify,
        )
    )


def _status(report: Report) -> int:
    if any(user.needs_person for user in report.users):
        return EXIT_NEEDS_PERSON
    if any(user.outcome is Outcome.BUSY for user in report.users):
        return EXIT_BUSY
    return EXIT_MENDED if report.dry_run and any(user.new for user in report.users) else EXIT_OK


def _print(report: Report) -> None:
    for user in report.users:
        match user.outcome:
            case Outcome.DONE:
                _print_done(user, report)
            case Outcome.DONE_BEFORE:
                print(f"{user.user}: done before")
            case Outcome.BUSY | Outcome.FAILED:
                print(f"spool-uidl: {user.user}: {user.outcome.value}: {user.trouble}", file=sys.stderr)


def _print_done(user: UserReport, report: Report) -> None:
    would = "would get" if report.dry_run else "got"
    print(
        f"{user.user}: {user.messages} messages: {user.new} {would} their old id, {user.kept} had it, "
        f"{user.unmatched} have none, {len(user.conflicts)} in conflict"
    )
    for conflict in user.conflicts:
        print(f"{user.user}: message {conflict.number}: {conflict.old_id!r} {conflict.reason.value}", file=sys.stderr)
