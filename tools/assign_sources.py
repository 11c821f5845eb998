"""spool-assign from-passwd, from-ldif, from-csv: the table of users from a directory of them."""

from __future__ import annotations

import argparse
import contextlib
import gc
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from spool.directory_sources import (
    Account,
    Additions,
    HomeCheck,
    LdifAttributes,
    Selection,
    Skipped,
    read_appended,
    read_csv,
    read_ldif,
    read_mail_names,
    read_names,
    read_passwd,
    read_subusers,
    selected,
)
from spool.errors import SettingsError
from spool.site import Site
from spool.takeover import MAX_DROP, Difference, Directory, Policy, TakenOver, Takeover
from tools.command import EXIT_OK, site_of
from tools.operation import EXIT_NEEDS_PERSON, add_operation_options, print_json, shown_progress
from tools.site_settings import read_site_settings

Read = Callable[[BinaryIO, argparse.Namespace], Iterator[Account | Skipped]]

_LDIF_FIELDS = ("name", "uid", "gid", "home", "domain")


def add_to(actions: Any) -> None:
    """Add the three actions to the program's."""
    passwd = _add(
        actions, "from-passwd", "take users over from passwd text or an NIS map", lambda stream, _: read_passwd(stream)
    )
    passwd.add_argument(
        "--uid-min",
        metavar="UID",
        type=int,
        default=None,
        help="take nobody below, as accounts of the system are (default: [service] uid_min)",
    )
    ldif = _add(actions, "from-ldif", "take users over from an LDAP export", _read_ldif)
    ldif.add_argument(
        "--attribute",
        metavar="FIELD=ATTRIBUTE",
        type=_attribute,
        action="append",
        default=[],
        help=f"which attribute says a field, of {', '.join(_LDIF_FIELDS)}; none if empty "
        "(default: name=uid uid=uidNumber gid=gidNumber home=homeDirectory domain=)",
    )
    _add(
        actions,
        "from-csv",
        "take users over from lines name[,uid,gid,home,domain]",
        lambda stream, options: read_csv(stream, file=options.file),
    )


def _add(actions: Any, name: str, text: str, read: Read) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=text)
    add_operation_options(parser)
    parser.add_argument("file", metavar="FILE", help="- for standard input")
    parser.add_argument("--add", action="store_true", help="take new users only; remove and change nobody")
    parser.add_argument(
        "--max-drop",
        metavar="SHARE",
        type=_share,
        default=MAX_DROP,
        help=f"refuse to remove more than this share of the users, 0 to 1 (default: {MAX_DROP})",
    )
    parser.add_argument(
        "--homes",
        choices=["layout", "source"],
        default="layout",
        help="where new users' homes are: where the layout says (default), or where the source says",
    )
    parser.add_argument(
        "--change-homes", action="store_true", help="put users who are there already there, too; no mail is moved"
    )
    parser.add_argument("--make-homes", action="store_true", help="make homes and mailboxes that are missing")
    parser.add_argument(
        "--home-check",
        choices=[check.value for check in HomeCheck],
        help="of homes the source names: skip those missing or not owned; stop at those missing; do not look "
        "(default: owned with --homes source, else any)",
    )
    parser.add_argument("--no-wildcards", action="store_true", help="give new users no extensions")
    parser.add_argument("--include", metavar="LIST", type=Path, help="names to take; default: all")
    parser.add_argument("--exclude", metavar="LIST", type=Path, help="names not to take")
    parser.add_argument("--mailnames", metavar="LIST", type=Path, help="lines user:name1:name2:…")
    parser.add_argument("--subusers", metavar="LIST", type=Path, help="lines local:user:extension:")
    parser.add_argument("--append", metavar="LIST", type=Path, help="further lines of assignments")
    parser.add_argument("--catch-all", metavar="USER", help="who gets what nobody else gets")
    parser.set_defaults(run=partial(_run, read), uid_min=0)
    return parser


def _run(read: Read, options: argparse.Namespace) -> int:
    site = site_of(options)
    settings = read_site_settings(site)

    def default() -> tuple[int, int]:
        # Imported where it is needed: it takes longer than all that the program does for a few users.
        from tools.service import service_identity  # noqa: PLC0415

        service = service_identity(settings)
        return service.uid, service.gid

    policy = Policy(
        add_only=options.add,
        wildcards=not options.no_wildcards,
        homes_of_source=options.homes == "source",
        change_homes=options.change_homes,
        make_homes=options.make_homes,
        max_drop=options.max_drop,
    )
    takeover = Takeover(site, settings.spool, default=default, policy=policy)
    with _no_garbage_collection(), shown_progress() as progress:
        report = takeover.run(
            _directory(read, options, settings.service.uid_min if options.uid_min is None else options.uid_min),
            progress,
            dry_run=options.dry_run,
            before=_ignore if options.json else _print_difference,
        )
    if options.json:
        print_json(report)
    else:
        _print_report(report, site, dry_run=options.dry_run)
    return EXIT_NEEDS_PERSON if report.troubles else EXIT_OK


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    # What is made for a million users lives to the end; looking for garbage among it takes a quarter of the time.
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _directory(read: Read, options: argparse.Namespace, uid_min: int) -> Directory:
    check = options.home_check or ("owned" if options.homes == "source" else "any")
    selection = Selection(
        include=None if options.include is None else read_names(options.include),
        exclude=frozenset() if options.exclude is None else read_names(options.exclude),
        home_check=HomeCheck(check),
        uid_min=uid_min,
    )
    additions = Additions(
        mail_names={} if options.mailnames is None else read_mail_names(options.mailnames),
        subusers=() if options.subusers is None else read_subusers(options.subusers),
        catch_all=None if options.catch_all is None else options.catch_all.encode("utf-8", "surrogateescape"),
        appended=b"" if options.append is None else read_appended(options.append),
    )
    try:
        with contextlib.ExitStack() as stack:
            stream = sys.stdin.buffer if options.file == "-" else stack.enter_context(Path(options.file).open("rb"))
            accounts, skipped = selected(read(stream, options), selection)
    except OSError as error:
        raise SettingsError(f"{options.file}: {error.strerror}") from error
    return Directory(accounts, skipped, additions)


def _read_ldif(stream: BinaryIO, options: argparse.Namespace) -> Iterator[Account | Skipped]:
    return read_ldif(stream, LdifAttributes(**dict(options.attribute)), file=options.file)


def _attribute(text: str) -> tuple[str, str | None]:
    field, equals, attribute = text.partition("=")
    if not equals or field not in _LDIF_FIELDS or (field == "name" and not attribute):
        raise argparse.ArgumentTypeError(f"expected FIELD=ATTRIBUTE, FIELD one of {', '.join(_LDIF_FIELDS)}")
    return field, attribute or None


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError("expected a number from 0 to 1")
    return share


def _ignore(_difference: Difference) -> None:
    """Print nothing."""


def _print_difference(difference: Difference) -> None:
    for what, names in (("add", difference.added), ("remove", difference.removed)):
        if names.count:
            print(f"{what} {names.count}: {_some(names.first, names.count)}")
    for change in difference.changes:
        values = {"uid": change.uid, "gid": change.gid, "home": change.home}
        changes = (f"{key} {value[0]} -> {value[1]}" for key, value in values.items() if value is not None)
        print(f"change {change.user}: {', '.join(changes)}")
    if difference.changed > len(difference.changes):
        print(f"change {difference.changed - len(difference.changes)} more")
    for reason, count in difference.skipped.items():
        lines = [f"line {each.line} {each.name!r}" for each in difference.left_out if each.reason.value == reason]
        print(f"skip {count}, {reason}: {_some(lines, count)}")
    print(f"{difference.users_before} users before, {difference.users_after} after", flush=True)


def _print_report(report: TakenOver, site: Site, *, dry_run: bool) -> None:
    if report.homes_made:
        print(f"{report.homes_made} homes made")
    for trouble in report.troubles:
        print(f"spool-assign: {trouble.user}: {trouble.what}", file=sys.stderr)
    if dry_run:
        print("nothing was changed (--dry-run)")
    elif report.last:
        copies = "; ".join(f"cp {path} {path.with_suffix('')}" for path in report.last)
        print(f"to return: {copies}; spool-assign compile --site {site.directory}")
    else:
        print("nothing to change")


def _some(names: Any, count: int) -> str:
    return ", ".join(names) + (", …" if count > len(names) else "")
