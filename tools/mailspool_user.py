"""mailspool user: add, remove and show users, and set their passwords."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from pathlib import Path
from typing import Any

from accounts.administration import Administration
from accounts.credentials import Credentials
from spool.errors import SettingsError
from spool.mailbox import MailboxKind
from spool.names import DomainName, UserName
from spool.roster import NewUser, Roster, UserDescription
from tools.command import EXIT_OK, add_site_option, site_of
from tools.service import service_identity
from tools.site_settings import SiteSettings, read_site_settings


def add_to(commands: Any) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser("user", help="add, remove and show users", description=__doc__)
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    add = _action(actions, "add", "add a user: assignment, home, maildrop, password", _add)
    add.add_argument("name", metavar="NAME")
    add.add_argument("--password-stdin", action="store_true", help="read the password from the first line of stdin")
    add.add_argument("--no-password", action="store_true", help="the user gets mail and cannot log in")
    add.add_argument("--apop", action="store_true", help="keep the password as APOP secret too")
    add.add_argument("--maildrop", choices=[kind.value for kind in MailboxKind], help="default: the site's")
    add.add_argument("--domain", metavar="D", action="append", default=[], help="a local domain; default: all")
    add.add_argument("--uid", metavar="N", type=int, help="default: the service's")
    add.add_argument("--gid", metavar="N", type=int, help="default: the service's")
    add.add_argument("--home", metavar="DIR", type=Path, help="default: where the layout says")

    delete = _action(actions, "del", "remove a user, keeping the mail", _del)
    delete.add_argument("name", metavar="NAME")
    delete.add_argument("--purge", action="store_true", help="delete the mail, too")

    _action(actions, "list", "print every user's name", _list)

    passwd = _action(actions, "passwd", "set a user's password", _passwd)
    passwd.add_argument("name", metavar="NAME")
    passwd.add_argument("--password-stdin", action="store_true", help="read the password from the first line of stdin")
    passwd.add_argument(
        "--apop",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="keep it as APOP secret (default: as is)",
    )

    show = _action(actions, "show", "print what is known of a user", _show)
    show.add_argument("name", metavar="NAME")
    show.add_argument("--json", action="store_true")


def _action(actions: Any, name: str, text: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=text)
    add_site_option(parser)
    parser.set_defaults(run=run)
    return parser


def _add(options: argparse.Namespace) -> int:
    administration, settings = _administration(options)
    password = None if options.no_password else _password(options)
    service = service_identity(settings)
    new = NewUser(
        name=UserName(options.name),
        uid=service.uid if options.uid is None else options.uid,
        gid=service.gid if options.gid is None else options.gid,
        home=options.home,
        kind=None if options.maildrop is None else MailboxKind(options.maildrop),
        domains=tuple(DomainName(domain.lower()) for domain in options.domain),
    )
    added = administration.add_user(new, password, apop=options.apop)
    for each in added.taken:
        print(
            f"mailspool: {new.name}: warning: {each.owner} no longer owns the extension {each.extension}: "
            f"mail for {each.taker} goes to {each.taker}",
            file=sys.stderr,
        )
    print(f"added {new.name}: {added.location.path}")
    return EXIT_OK


def _del(options: argparse.Namespace) -> int:
    administration, _ = _administration(options)
    removed = administration.remove_user(UserName(options.name), purge=options.purge)
    if removed.mail:
        print(f"removed {removed.user}; the mail is kept in {', '.join(map(str, removed.mail))}")
    else:
        print(f"removed {removed.user} and the mail")
    return EXIT_OK


def _list(options: argparse.Namespace) -> int:
    for user, _ in _roster(options).users():
        print(user)
    return EXIT_OK


def _passwd(options: argparse.Namespace) -> int:
    administration, _ = _administration(options)
    administration.set_password(UserName(options.name), _password(options), apop=options.apop)
    return EXIT_OK


def _show(options: argparse.Namespace) -> int:
    shown = _shown(_roster(options).describe(UserName(options.name)))
    if options.json:
        print(json.dumps(shown))
    else:
        for key, value in shown.items():
            print(f"{key}: {', '.join(value) if isinstance(value, list) else value}")
    return EXIT_OK


def _shown(description: UserDescription) -> dict[str, Any]:
    record, maildrop = description.record, description.maildrop
    return {
        "user": description.user.text,
        "uid": record.uid,
        "gid": record.gid,
        "home": str(record.home),
        "maildrop": None if maildrop is None else str(maildrop.path),
        "kind": None if maildrop is None else maildrop.kind.value,
        "layout": description.layout,
        "assign_record": f"={description.user}:{record.user}:{record.uid}:{record.gid}:{record.home}:"
        f"{record.dash}:{record.extension}:",
        "domains": None if description.domains is None else [domain.text for domain in description.domains],
        "links": [str(link) for link in description.links],
    }


def _roster(options: argparse.Namespace) -> Roster:
    site = site_of(options)
    return Roster(site, read_site_settings(site).spool)


def _administration(options: argparse.Namespace) -> tuple[Administration, SiteSettings]:
    site = site_of(options)
    settings = read_site_settings(site)
    credentials = Credentials.in_directory(site.control)
    return Administration(Roster(site, settings.spool), credentials, settings.auth.schemes), settings


def _password(options: argparse.Namespace) -> bytes:
    """Read the password: from stdin when told to, else twice from the terminal."""
    if options.password_stdin:
        password = sys.stdin.buffer.readline().rstrip(b"\r\n")
    else:
        password = os.fsencode(getpass.getpass("password: "))
        if os.fsencode(getpass.getpass("again: ")) != password:
            raise SettingsError("the passwords differ")
    if not password:
        raise SettingsError("the password is empty; --no-password adds a user who cannot log in")
    return password
