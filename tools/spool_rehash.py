"""spool-rehash: move the homes of a live spool from one layout to another."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from spool.layouts import LAYOUTS
from spool.names import UserName
from spool.progress import NoProgress
from spool.rehash.directories import HashDirectories
from spool.rehash.evenness import Evenness
from spool.rehash.moves import Trouble
from spool.rehash.planning import Plan, Planner, Wanted
from spool.rehash.rehash import Means, Report, run, undo
from spool.rehash.status import Status, read_status
from spool.rehash.verifying import Verified, record_mailboxes, verify
from tools.command import EXIT_OK, site_of
from tools.command import run as run_command
from tools.operation import (
    EXIT_BUSY,
    EXIT_NEEDS_PERSON,
    EXIT_STATUSES,
    add_operation_options,
    chosen_domain,
    print_json,
    shown_progress,
)
from tools.site_settings import SiteSettings, read_site_settings

_BAR: Final = 40


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is the return value."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.to is None and options.action in {"plan", "run"}:
        parser.error(f"{options.action} needs --to LAYOUT")
    return run_command("spool-rehash", lambda: _ACTIONS[options.action](options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="spool-rehash", description=__doc__, epilog=EXIT_STATUSES)
    parser.add_argument("action", choices=list(_ACTIONS), metavar="plan|run|status|verify|undo")
    add_operation_options(parser)
    parser.add_argument("--to", metavar="LAYOUT", choices=list(LAYOUTS), help=f"one of {', '.join(LAYOUTS)}")
    parser.add_argument("--user", metavar="NAME", action="append", help="only this user; may be repeated")
    parser.add_argument("--domain", metavar="D", help="only the users of this local domain (plan, run)")
    parser.add_argument("--rate", metavar="N", type=_rate, help="at most N mailboxes a second (run, undo)")
    parser.add_argument("--sizes", action="store_true", help="plan: add up what the homes take on disk")
    parser.add_argument("--record", action="store_true", help="plan: remember all messages, for verify to compare")
    return parser


def _rate(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < (rate := float(text)) < float("inf"):
            return rate
    raise argparse.ArgumentTypeError(f"{text!r}: expected a number of mailboxes above 0")


def _users(options: argparse.Namespace) -> frozenset[UserName]:
    return frozenset(UserName(name) for name in options.user or ())


def _wanted(options: argparse.Namespace) -> Wanted:
    return Wanted(options.to, _users(options), chosen_domain(options, site_of(options)))


def _means(settings: SiteSettings) -> Means:
    return Means(settings.rehash, uid_min=settings.service.uid_min)


# -- planning ---------------------------------------------------------------------------------------------------------


def _plan(options: argparse.Namespace) -> int:
    site = site_of(options)
    settings = read_site_settings(site)
    with shown_progress() as progress:
        planner = Planner(site, settings.spool, HashDirectories(settings.spool.root))
        plan = planner.plan(_wanted(options), progress, sizes=options.sizes)
        if options.record and not options.dry_run:
            record_mailboxes(site, settings.spool, plan.moves, _means(settings), progress)
    if options.json:
        print_json({**_plan_as_json(plan), "evenness": plan.evenness})
    else:
        _print_plan(plan)
        for evenness in plan.evenness:
            _print_histogram(evenness)
    return EXIT_NEEDS_PERSON if plan.obstacles else EXIT_OK


def _plan_as_json(plan: Plan) -> dict[str, object]:
    return {
        "to": plan.to,
        "users": plan.users,
        "moves": len(plan.moves),
        "in_place": plan.in_place,
        "hand_placed": plan.hand_placed,
        "obstacles": plan.obstacles,
        "transfers": plan.transfers,
    }


def _print_plan(plan: Plan) -> None:
    print(
        f"{plan.users} users: {len(plan.moves)} to move to {plan.to}, {plan.in_place} in place, "
        f"{plan.hand_placed} placed by hand"
    )
    for transfer in plan.transfers:
        octets = "" if transfer.octets is None else f", {transfer.octets:,} octets"
        way = f"copied from {transfer.source} to" if transfer.copied else "renamed below"
        print(f"{transfer.mailboxes} {way} {transfer.target}{octets}; free there: {transfer.free_octets:,} octets")
    _print_troubles(plan.obstacles)
    print(f"{'layout':<10} {'directories':>11} {'used':>6} {'empty':>6} {'mean':>9} {'most':>7}  fullest")
    for one in plan.evenness:
        print(
            f"{one.layout:<10} {one.directories:>11} {one.used:>6} {one.empty:>6} {one.mean:>9.1f} {one.most:>7}  "
            f"{one.fullest or '.'}"
        )


def _print_histogram(evenness: Evenness) -> None:
    print(f"\n{evenness.layout}: directories by number of users")
    widest = max(bar.directories for bar in evenness.histogram)
    for bar in evenness.histogram:
        length = -(-bar.directories * _BAR // widest)
        print(f"{bar.least:>7}-{bar.most:<7} {bar.directories:>6} {'#' * length}")


# -- moving -----------------------------------------------------------------------------------------------------------


def _run(options: argparse.Namespace) -> int:
    site = site_of(options)
    settings = read_site_settings(site)
    if options.dry_run:
        plan = Planner(site, settings.spool, HashDirectories(settings.spool.root)).plan(_wanted(options), NoProgress())
        if options.json:
            print_json(_plan_as_json(plan))
        else:
            _print_plan(plan)
        return EXIT_NEEDS_PERSON if plan.obstacles else EXIT_OK
    with shown_progress() as progress:
        report = run(site, settings.spool, _wanted(options), _means(settings), progress, rate=options.rate)
    return _tell(options, report)


def _undo(options: argparse.Namespace) -> int:
    site = site_of(options)
    if options.dry_run:
        return _status(options)
    settings = read_site_settings(site)
    users = _users(options) if options.user else None
    with shown_progress() as progress:
        report = undo(site, settings.spool, users, _means(settings), progress, rate=options.rate)
    return _tell(options, report)


def _tell(options: argparse.Namespace, report: Report) -> int:
    if options.json:
        print_json(report)
    else:
        _print_report(report)
    if report.obstacles or report.failed:
        return EXIT_NEEDS_PERSON
    return EXIT_BUSY if report.busy or report.waiting else EXIT_OK


def _print_report(report: Report) -> None:
    if report.obstacles:
        _print_troubles(report.obstacles)
        print("nothing was moved")
        return
    if report.layout is not None:
        print(f'new users are put where layout = "{report.layout}" says')
    rate = f" in {report.seconds:.1f} seconds" if report.seconds >= 1 else ""
    print(f"{report.moved} moved{rate}, {len(report.busy)} busy, {len(report.failed)} failed")
    if report.links_removed or report.late:
        print(f"{report.links_removed} links removed, {report.late} late messages taken along")
    if report.kept:
        print(f"{report.kept} old homes are kept for now; run it again later")
    for user in report.busy:
        print(f"spool-rehash: {user}: busy", file=sys.stderr)
    for user in report.waiting:
        print(f"spool-rehash: {user}: stays until the old home was kept for its time", file=sys.stderr)
    _print_troubles(report.failed)


def _print_troubles(troubles: Iterable[Trouble]) -> None:
    for trouble in troubles:
        print(f"spool-rehash: {trouble.user}: {trouble.reason}", file=sys.stderr)


# -- looking ----------------------------------------------------------------------------------------------------------


def _status(options: argparse.Namespace) -> int:
    site = site_of(options)
    status = read_status(site, read_site_settings(site).rehash)
    if options.json:
        print_json(status)
    elif status is None:
        print("nothing was rehashed")
    else:
        _print_status(status)
    return EXIT_OK


def _print_status(status: Status) -> None:
    print(f"to {status.to}: {status.moved} moved in {status.batches} batches")
    if status.open_batch:
        print(f"a batch of {status.open_batch} mailboxes was begun and not published: run it again")
    for what, left in (("links", status.links), ("old homes", status.kept)):
        if left.count:
            print(f"{left.count} {what} to be removed, from {datetime.fromtimestamp(left.due).astimezone():%c} on")


def _verify(options: argparse.Namespace) -> int:
    site = site_of(options)
    settings = read_site_settings(site)
    with shown_progress() as progress:
        verified = verify(site, settings.spool, _users(options), _means(settings), progress)
    if options.json:
        print_json(verified)
    else:
        _print_verified(verified)
    if verified.wrong:
        return EXIT_NEEDS_PERSON
    return EXIT_BUSY if verified.busy else EXIT_OK


def _print_verified(verified: Verified) -> None:
    print(
        f"{verified.homes} homes are where they were moved; {verified.compared} of them compared message by message: "
        f"{verified.same} messages the same, {verified.gone} removed since, {verified.new} new"
    )
    for user in verified.busy:
        print(f"spool-rehash: {user}: busy", file=sys.stderr)
    _print_troubles(verified.wrong)


_ACTIONS: Final = {"plan": _plan, "run": _run, "status": _status, "verify": _verify, "undo": _undo}
