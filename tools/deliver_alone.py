"""spool-deliver: deliver one message, read from stdin, as its recipient's instructions say, else into their maildrop.

USER is a local part or an address of a local domain: an exact record of control/assign, else the longest wildcard. On
failure the first line of output begins with the enhanced status code of RFC 3463. That output may reach the sender, who
is a stranger, so it names no path and no uid; the whole reason goes to syslog (facility mail).
"""

from __future__ import annotations

import argparse
import sys
import syslog
import traceback
from collections.abc import Sequence
from typing import NoReturn

from tools.spool_deliver import DEFAULT_EXIT_CODES, EXIT_CODES, ExitCodes


def main(arguments: Sequence[str]) -> int:
    """Deliver in this process, which becomes the recipient; the exit status is the return value."""
    codes = EXIT_CODES[_dialect(arguments)]
    try:
        return _run(arguments, codes)
    except Exception as error:
        # A bug must never bounce mail.
        print("4.3.0 mail system error", file=sys.stderr)
        log("".join(traceback.format_exception(error)))
    except KeyboardInterrupt:
        print("4.3.0 interrupted", file=sys.stderr)
    return codes.try_later


def _dialect(arguments: Sequence[str]) -> str:
    """Which exit codes are asked for; known before all else, because wrong arguments must be temporary in them too."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--exit-codes")
    try:
        asked, _ = parser.parse_known_args(arguments)
    except argparse.ArgumentError:
        return DEFAULT_EXIT_CODES
    return asked.exit_codes if asked.exit_codes in EXIT_CODES else DEFAULT_EXIT_CODES


def _run(arguments: Sequence[str], codes: ExitCodes) -> int:
    # Loaded here: an installation that is broken, or being replaced at the moment, must not bounce mail either.
    from spool.errors import MalformedNameError, NoSuchUserError, SettingsError, SpoolError  # noqa: PLC0415
    from tools.command import site_of  # noqa: PLC0415
    from tools.lone_delivery_parts import lone_delivery, pieces  # noqa: PLC0415

    options = command_line(codes).parse_args(arguments)
    try:
        lone = lone_delivery(site_of(options))
        if options.explain:
            for line in lone.explain(options.user, options.sender or None):
                print(line)
        else:
            lone.deliver(options.user, options.sender or None, pieces(sys.stdin.buffer))
    except SpoolError as error:
        print(f"{error.status} {error.public_text}", file=sys.stderr)
        if options.explain:
            print(error, file=sys.stderr)  # to the operator who asks, and no sender
        log(f"{options.user}: {error.status} {error}")
        match error:
            case SettingsError():
                return codes.try_later
            case NoSuchUserError() | MalformedNameError():
                return codes.no_user
            case _:
                return codes.refused if error.status.permanent else codes.try_later
    return 0


def command_line(codes: ExitCodes) -> argparse.ArgumentParser:
    """Make the parser; its usage errors are temporary in these codes."""
    from tools.command import add_site_option  # noqa: PLC0415 - see _run

    parser = _Parser(codes)
    add_site_option(parser)
    parser.add_argument(
        "--sender", metavar="ADDRESS", default="", help="the envelope sender (default: the null sender)"
    )
    parser.add_argument(
        "--explain", action="store_true", help="say who decides what becomes of a message; deliver nothing"
    )
    parser.add_argument("--exit-codes", choices=tuple(EXIT_CODES), default=DEFAULT_EXIT_CODES, help="default: qmail")
    parser.add_argument("user", metavar="USER", help="a local part, or an address of a local domain")
    return parser


class _Parser(argparse.ArgumentParser):
    def __init__(self, codes: ExitCodes) -> None:
        super().__init__(prog="spool-deliver", description=__doc__, allow_abbrev=False)
        self._codes = codes

    def error(self, message: str) -> NoReturn:
        print(f"4.3.5 usage: {message}", file=sys.stderr)
        self.exit(self._codes.try_later)


def log(text: str) -> None:
    """Tell the operator."""
    syslog.openlog("spool-deliver", syslog.LOG_PID, syslog.LOG_MAIL)
    for line in text.splitlines():
        syslog.syslog(syslog.LOG_ERR, line)
