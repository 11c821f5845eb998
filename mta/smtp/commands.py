"""Commands of LMTP (RFC 2033, RFC 5321 section 4.1; CHUNKING, RFC 3030; SIZE, RFC 1870; STARTTLS, RFC 3207)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from mta.smtp.addresses import parse_path
from mta.smtp.errors import CommandError
from mta.smtp.replies import BAD_ARGUMENT, BAD_SENDER, SYNTAX, UNKNOWN, UNKNOWN_PARAMETER

COMMAND_OCTETS_MAX: Final = 2048  # RFC 5321 section 4.5.3.1.4 has 512, and what the extensions add; the CRLF counts
BDAT_OCTETS_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Lhlo:
    """The client says who it is. Nobody believes it."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A message begins. ``sender`` is None for the null sender, ``octets`` what the client says the message has."""

    sender: str | None
    octets: int | None
    utf8: bool


@dataclass(frozen=True, slots=True)
class Rcpt:
    """One more recipient. ``path`` is as it was sent: whether it may be UTF-8 depends on MAIL."""

    path: str


@dataclass(frozen=True, slots=True)
class Data:
    """The message follows, dot-stuffed."""


@dataclass(frozen=True, slots=True)
class Bdat:
    """So many octets of the message follow (RFC 3030 section 2)."""

    octets: int
    last: bool


@dataclass(frozen=True, slots=True)
class Rset:
    """Forget the message."""


@dataclass(frozen=True, slots=True)
class Noop:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Vrfy:
    """Ask whether somebody is there."""


@dataclass(frozen=True, slots=True)
class StartTls:
    """Go on in TLS."""


@dataclass(frozen=True, slots=True)
class Quit:
    """That is all."""


Command: TypeAlias = Lhlo | Mail | Rcpt | Data | Bdat | Rset | Noop | Vrfy | StartTls | Quit


def parse_command(line: bytes) -> Command:
    """Parse a command line without its CRLF.

    Raises:
        CommandError: it is none, with the reply.
    """
    if b"\0" in line or b"\r" in line or b"\n" in line:
        raise CommandError(SYNTAX)
    keyword, _, argument = line.decode("utf-8", "surrogateescape").partition(" ")
    parse = _PARSERS.get(keyword.upper())
    if parse is None:
        raise CommandError(UNKNOWN)
    return parse(argument.strip(" "))


def _alone(command: Command) -> Callable[[str], Command]:
    def parse(argument: str) -> Command:
        if argument:
            raise CommandError(BAD_ARGUMENT)
        return command

    return parse


def _lhlo(argument: str) -> Lhlo:
    if not argument:
        raise CommandError(BAD_ARGUMENT)
    return Lhlo()


def _mail(argument: str) -> Mail:
    path, parameters = _path("FROM:", argument)
    octets, utf8 = None, False
    for keyword, value in parameters.items():
        match keyword, value:
            case "SIZE", str(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 20:
                octets = int(digits)
            case "BODY", str(body) if body.upper() in {"7BIT", "8BITMIME"}:
                pass
            case "SMTPUTF8", None:
                utf8 = True
            case _:
                raise CommandError(UNKNOWN_PARAMETER)
    try:
        return Mail(parse_path(path, utf8=utf8), octets, utf8)
    except CommandError as error:
        raise CommandError(BAD_SENDER) if error.reply.code == BAD_SENDER.code else error from None


def _rcpt(argument: str) -> Rcpt:
    path, parameters = _path("TO:", argument)
    if parameters:
        raise CommandError(UNKNOWN_PARAMETER)
    return Rcpt(path)


def _path(mark: str, argument: str) -> tuple[str, Mapping[str, str | None]]:
    """Take ``FROM:<path> KEY=VALUE …`` apart; a space behind the colon is taken, too, as old clients send it."""
    if argument[: len(mark)].upper() != mark:
        raise CommandError(BAD_ARGUMENT)
    rest = argument[len(mark) :].lstrip(" ")
    # The path may hold spaces and angle brackets in quotes.
    found = re.match(r'<(?:"(?:[^"\\]|\\.)*"|[^"<>])*>', rest)
    if found is None or (rest[found.end() :] and rest[found.end()] != " "):
        raise CommandError(BAD_ARGUMENT)
    parameters: dict[str, str | None] = {}
    for word in rest[found.end() :].split():
        keyword, equals, value = word.partition("=")
        if keyword.upper() in parameters:
            raise CommandError(BAD_ARGUMENT)
        parameters[keyword.upper()] = value if equals else None
    return found[0], parameters


def _bdat(argument: str) -> Bdat:
    found = re.fullmatch(r"([0-9]{1,19})(?: +(LAST))?", argument, re.IGNORECASE | re.ASCII)
    if found is None or int(found[1]) > BDAT_OCTETS_MAX:
        # How many octets follow nobody knows, so nothing after this could be understood.
        raise CommandError(BAD_ARGUMENT)
    return Bdat(int(found[1]), found[2] is not None)


_PARSERS: Final[Mapping[str, Callable[[str], Command]]] = {
    "LHLO": _lhlo,
    "MAIL": _mail,
    "RCPT": _rcpt,
    "DATA": _alone(Data()),
    "BDAT": _bdat,
    "RSET": _alone(Rset()),
    "NOOP": lambda _: Noop(),
    "VRFY": lambda _: Vrfy(),
    "STARTTLS": _alone(StartTls()),
    "QUIT": _alone(Quit()),
}
