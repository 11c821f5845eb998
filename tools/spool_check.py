"""spool-check: find, explain and mend the inconsistencies of a site's spool, while it is in use."""

from __future__ import annotations

import argparse
import json
import pwd
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from spool.checking.checker import Summary, Wanted, check_spool
from spool.checking.kinds import Severity
from spool.checking.repairing import Outcome, Told
from spool.checking.undoing import Undone, UndoneChange, undo_repair
from spool.checking.view import Account
from spool.control_files import Domains
from spool.names import UserName
from spool.roster import Roster
from spool.site import Site
from tools.command import EXIT_OK, run, site_of
from tools.operation import (
    EXIT_BUSY,
    EXIT_MENDED,
    EXIT_NEEDS_PERSON,
    EXIT_STATUSES,
    add_operation_options,
    chosen_domain,
    shown_progress,
)
from tools.site_settings import SiteSettings, read_site_settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is the return value."""
    options = _parser().parse_args(argv)
    return run("spool-check", lambda: _undo(options) if options.undo else _check(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="spool-check", description=__doc__, epilog=EXIT_STATUSES)
    add_operation_options(parser)
    parser.add_argument("--user", metavar="NAME", action="append", help="check only this user's home; may be repeated")
    parser.add_argument("--domain", metavar="D", help="check only the homes of this local domain's users")
    parser.add_argument("--deep", action="store_true", help="read all mail, too")
    parser.add_argument("--getpw", action="store_true", help="compare homes with what getpw() says; may be slow")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--repair", action="store_true", help="mend what is safe, and keep an undo record")
    action.add_argument("--undo", metavar="RECORD", type=Path, help="go back by the undo record of a repair")
    return parser


# -- checking ---------------------------------------------------------------------------------------------------------


def _check(options: argparse.Namespace) -> int:
    site = site_of(options)
    settings = read_site_settings(site)
    wanted = Wanted(
        users=_users(options, site, settings),
        deep=options.deep,
        repair=options.repair and not options.dry_run,
        secrets=tuple(listener.key for listener in settings.listeners if listener.key is not None),
        account_of=_account_of if options.getpw else None,
    )
    shown = _JsonList("findings", _told_as_json) if options.json else None
    tell = shown.add if shown else partial(_print_told, would_mend=options.repair and options.dry_run)
    with shown_progress() as progress:
        summary = check_spool(site, settings.spool, wanted, tell, progress=progress)
    if shown:
        shown.end(_summary_as_json(summary))
    else:
        _print_summary(summary)
    return _status(summary)


def _users(options: argparse.Namespace, site: Site, settings: SiteSettings) -> tuple[UserName, ...] | None:
    """The users that are asked for, None for all."""
    if (domain := chosen_domain(options, site)) is not None:
        domains = Domains(site.domains)
        named = {UserName(name) for name in options.user or ()}
        users = (user for user, _ in Roster(site, settings.spool).users())
        return tuple(user for user in users if domains.belongs(user, domain) and (not named or user in named))
    return None if options.user is None else tuple(map(UserName, options.user))


def _account_of(name: str) -> Account | None:
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(account.pw_uid, Path(account.pw_dir))


def _print_told(told: Told, *, would_mend: bool) -> None:
    finding = told.finding
    kind = finding.kind
    user = f" (user {finding.user})" if finding.user else ""
    detail = f": {finding.detail}" if finding.detail else ""
    print(f"{kind.name}: {finding.path}{user}{detail}")
    print(f"  {kind.meaning}")
    match told.outcome:
        case Outcome.FOUND if finding.severity is Severity.MENDABLE and would_mend:
            print(f"  would be mended: repair {kind.repair}")
        case Outcome.FOUND if finding.severity is Severity.MENDABLE:
            print(f"  mendable: --repair {kind.repair}")
        case Outcome.FOUND:
            print(f"  {finding.severity.value}")
        case outcome:
            print(f"  {outcome.value}{': ' if told.reason else ''}{told.reason}")


def _print_summary(summary: Summary) -> None:
    found = ", ".join(f"{count} {severity.value}" for severity, count in summary.severities.items())
    print(f"{summary.users} users; findings: {found}")
    done = [f"{count} {outcome.value}" for outcome, count in summary.outcomes.items() if outcome is not Outcome.FOUND]
    if summary.undo_record is not None or any(summary.outcomes[each] for each in Outcome if each is not Outcome.FOUND):
        print(", ".join(done))
    if summary.undo_record is not None:
        print(f"to go back: spool-check --undo {summary.undo_record}")


def _told_as_json(told: Told) -> dict[str, Any]:
    finding = told.finding
    return {
        "kind": finding.kind.name,
        "severity": finding.severity.value,
        "path": str(finding.path),
        "user": None if finding.user is None else finding.user.text,
        "detail": finding.detail,
        "meaning": finding.kind.meaning,
        "repair": finding.kind.repair,
        "outcome": told.outcome.value,
        "reason": told.reason,
    }


def _summary_as_json(summary: Summary) -> dict[str, Any]:
    return {
        "users": summary.users,
        "severities": {severity.value: count for severity, count in summary.severities.items()},
        "outcomes": {outcome.value: count for outcome, count in summary.outcomes.items()},
        "undo_record": None if summary.undo_record is None else str(summary.undo_record),
    }


def _status(summary: Summary) -> int:
    if summary.needs_person:
        return EXIT_NEEDS_PERSON
    if summary.outcomes[Outcome.BUSY]:
        return EXIT_BUSY
    if summary.severities[Severity.MENDABLE] > summary.outcomes[Outcome.GONE]:
        return EXIT_MENDED
    return EXIT_OK


# -- going back -------------------------------------------------------------------------------------------------------


def _undo(options: argparse.Namespace) -> int:
    shown = _JsonList("changes", _undone_as_json) if options.json else None
    tell = shown.add if shown else _print_undone
    counts = undo_repair(site_of(options), options.undo, tell, dry_run=options.dry_run)
    if shown:
        shown.end({"outcomes": {outcome.value: count for outcome, count in counts.items()}})
    if counts[Undone.CHANGED] or counts[Undone.FAILED]:
        return EXIT_NEEDS_PERSON
    return EXIT_BUSY if counts[Undone.BUSY] else EXIT_OK


def _print_undone(undone: UndoneChange) -> None:
    print(f"{undone.path}: {undone.outcome.value}{': ' if undone.detail else ''}{undone.detail}")


def _undone_as_json(undone: UndoneChange) -> dict[str, Any]:
    return {"path": str(undone.path), "outcome": undone.outcome.value, "detail": undone.detail}


class _JsonList:
    """Prints one JSON object, whose first member is a list, member by member: there may be very many."""

    def __init__(self, name: str, as_json: Callable[[Any], dict[str, Any]]) -> None:
        self._as_json: Final = as_json
        self._separator = "\n"
        sys.stdout.write(f"{{{json.dumps(name)}: [")

    def add(self, member: Any) -> None:
        sys.stdout.write(f"{self._separator}{json.dumps(self._as_json(member))}")
        self._separator = ",\n"

    def end(self, rest: dict[str, Any]) -> None:
        sys.stdout.write(f"\n], {json.dumps(rest)[1:]}\n")
