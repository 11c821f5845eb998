"""spool-deliver: put one message, read from stdin, into a user's maildrop.

USER is a local part or an address of a local domain: an exact record of control/assign, else the longest wildcard. On
failure the first line of output begins with the enhanced status code of RFC 3463. That output may reach the sender, who
is a stranger, so it names no path and no uid; the whole reason goes to syslog (facility mail).
"""

from __future__ import annotations

import argparse
import grp
import os
import sys
import syslog
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, NoReturn

from serving.privileges import Identity, PrivilegeError, become
from spool.assign import AssignRecord
from spool.assign_directory import AssignDirectory
from spool.control_files import Locals
from spool.errors import (
    DirectoryUnavailableError,
    HomeUnavailableError,
    MalformedNameError,
    NoSuchUserError,
    SettingsError,
    SpoolError,
)
from spool.homes import locate_mailbox
from spool.mailbox import Envelope
from spool.mailboxes import open_mailbox
from spool.names import DomainName, UserName
from spool.settings import SpoolSettings
from spool.settings_file import read_settings_file, table_to
from spool.site import Site
from tools.command import add_site_option, site_of

READ_OCTETS: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class ExitCodes:
    """What the mail transport that runs us understands."""

    no_user: int
    refused: int
    try_later: int


EXIT_CODES: Final[Mapping[str, ExitCodes]] = {
    "qmail": ExitCodes(no_user=100, refused=100, try_later=111),
    # sysexits.h: EX_NOUSER, EX_UNAVAILABLE, EX_TEMPFAIL. Postfix, for one, takes 111 for a bounce.
    "sysexits": ExitCodes(no_user=67, refused=69, try_later=75),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is the return value."""
    arguments = sys.argv[1:] if argv is None else argv
    # Known before the arguments are parsed, because wrong arguments must be temporary in the caller's dialect too.
    codes = EXIT_CODES["sysexits" if "sysexits" in " ".join(arguments) else "qmail"]
    options = _parser(codes).parse_args(arguments)
    try:
        _deliver(options, sys.stdin.buffer)
    except SpoolError as error:
        print(f"{error.status} {error.public_text}", file=sys.stderr)
        _log(f"{options.user}: {error.status} {error}")
        return _exit_code(codes, error)
    except BaseException:
        # A bug, or an interruption, must never bounce mail.
        print("4.3.0 mail system error", file=sys.stderr)
        _log(traceback.format_exc())
        return codes.try_later
    return 0


def _log(text: str) -> None:
    syslog.openlog("spool-deliver", syslog.LOG_PID, syslog.LOG_MAIL)
    for line in text.splitlines():
        syslog.syslog(syslog.LOG_ERR, line)


class _Parser(argparse.ArgumentParser):
    def __init__(self, codes: ExitCodes) -> None:
        super().__init__(prog="spool-deliver", description=__doc__)
        self._codes = codes

    def error(self, message: str) -> NoReturn:
        print(f"4.3.5 usage: {message}", file=sys.stderr)
        self.exit(self._codes.try_later)


def _parser(codes: ExitCodes) -> argparse.ArgumentParser:
    parser = _Parser(codes)
    add_site_option(parser)
    parser.add_argument(
        "--sender", metavar="ADDRESS", default="", help="the envelope sender (default: the null sender)"
    )
    parser.add_argument("--exit-codes", choices=tuple(EXIT_CODES), default="qmail", help="default: qmail")
    parser.add_argument("user", metavar="USER", help="a local part, or an address of a local domain")
    return parser


def _deliver(options: argparse.Namespace, message: BinaryIO) -> None:
    site = site_of(options)
    tables = read_settings_file(site.settings_file)
    settings = table_to(SpoolSettings, tables.get("spool", {}), file=site.settings_file, section="spool")
    record = AssignDirectory(site.assign_compiled).lookup(_local_part(options.user, site)).record
    user = _owner(record)
    if record.uid != os.geteuid():
        try:
            become(Identity(record.uid, record.gid, _groups(settings)))
        except PrivilegeError as error:
            raise HomeUnavailableError(f"{record.home}: {error}") from error
    location = locate_mailbox(user, uid=record.uid, gid=record.gid, home=record.home, settings=settings)
    envelope = Envelope(sender=options.sender or None, recipient=options.user)
    open_mailbox(location, settings).deliver(_pieces(message), envelope)


def _owner(record: AssignRecord) -> UserName:
    try:
        return UserName(record.user)
    except MalformedNameError as error:
        # The address was found; it is the record that is wrong, and the operator can mend it.
        raise DirectoryUnavailableError(f"assign: {error}") from error


def _groups(settings: SpoolSettings) -> tuple[int, ...]:
    """The supplementary groups of a delivery: that of the directory where dot-locks are made, if one is set."""
    if settings.dotlock_group is None:
        return ()
    try:
        return (grp.getgrnam(settings.dotlock_group).gr_gid,)
    except KeyError as error:
        raise SettingsError(f"spool.dotlock_group: there is no group {settings.dotlock_group}") from error


def _local_part(address: str, site: Site) -> str:
    local, at, domain = address.rpartition("@")
    if not at:
        return address
    if not Locals(site.locals).contains(DomainName(domain.lower())):
        raise NoSuchUserError(f"{domain} is not a local domain")
    return local


def _pieces(message: BinaryIO) -> Iterator[bytes]:
    while piece := message.read(READ_OCTETS):
        yield piece


def _exit_code(codes: ExitCodes, error: SpoolError) -> int:
    match error:
        case SettingsError():
            return codes.try_later
        case NoSuchUserError() | MalformedNameError():
            return codes.no_user
        case _ if error.status.permanent:
            return codes.refused
        case _:
            return codes.try_later
