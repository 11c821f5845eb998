"""POP3 commands: one frozen class each, and the parser from a line of octets.

Strict where leniency could be read in two ways (control characters, left-over arguments, signs), kind where it is
harmless: keywords in any case, several SP or TAB between arguments and at the end, leading zeros. Names and passwords
are octets here; RFC 6856's ``USER`` argument of the UTF8 capability is not announced, and it is the authenticator that
lets only its own alphabet of names through.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

MAX_COMMAND_OCTETS: Final = 255  # RFC 2449 section 4; the CRLF counts
MAX_NUMBER_DIGITS: Final = 10
MAX_BODY_LINES: Final = 2**31 - 1  # clients say TOP 1 99999999 and more for "all of it"

# -- values -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class User:
    """USER name (RFC 1939 section 7)."""

    name: bytes


@dataclass(frozen=True, slots=True)
class Pass:
    """PASS string (RFC 1939 section 7): the rest of the line, its spaces included."""

    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Apop:
    """APOP name digest (RFC 1939 section 7); the digest is 32 hexadecimal digits in lower case."""

    name: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class Rpop:
    """RPOP user (RFC 1225): the account on the client's host."""

    remote_user: bytes


@dataclass(frozen=True, slots=True)
class Auth:
    """AUTH mechanism [initial-response] (RFC 5034).

    ``mechanism`` is in upper case, None for a bare AUTH, which asks for the list; ``initial`` is decoded, None if there
    is none.
    """

    mechanism: str | None = None
    initial: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Stls:
    """STLS (RFC 2595 section 4)."""


@dataclass(frozen=True, slots=True)
class Utf8:
    """UTF8 (RFC 6856 section 2.1)."""


@dataclass(frozen=True, slots=True)
class Lang:
    """LANG [range] (RFC 6856 section 3); the range is in lower case, ``*`` for the server's choice, None to list."""

    language_range: str | None = None


@dataclass(frozen=True, slots=True)
class Capa:
    """CAPA (RFC 2449 section 5)."""


@dataclass(frozen=True, slots=True)
class Quit:
    """QUIT (RFC 1939 sections 4 and 6)."""


@dataclass(frozen=True, slots=True)
class Stat:
    """STAT (RFC 1939 section 5)."""


@dataclass(frozen=True, slots=True)
class List:
    """LIST [msg] (RFC 1939 section 5)."""

    number: int | None = None


@dataclass(frozen=True, slots=True)
class Uidl:
    """UIDL [msg] (RFC 1939 section 7)."""

    number: int | None = None


@dataclass(frozen=True, slots=True)
class Retr:
    """RETR msg (RFC 1939 section 5)."""

    number: int


@dataclass(frozen=True, slots=True)
class Top:
    """TOP msg n (RFC 1939 section 7): the header and ``body_lines`` lines of the body, at most ``MAX_BODY_LINES``."""

    number: int
    body_lines: int


@dataclass(frozen=True, slots=True)
class Dele:
    """DELE msg (RFC 1939 section 5)."""

    number: int


@dataclass(frozen=True, slots=True)
class Noop:
    """NOOP (RFC 1939 section 5)."""


@dataclass(frozen=True, slots=True)
class Rset:
    """RSET (RFC 1939 section 5)."""


@dataclass(frozen=True, slots=True)
class Last:
    """LAST (RFC 1225); RFC 1725 removed it."""


@dataclass(frozen=True, slots=True)
class XtndXmit:
    """XTND XMIT, as the popper family and Eudora know it: send a message."""


@dataclass(frozen=True, slots=True)
class XtndXlst:
    """XTND XLST header [msg], as the popper family knows it: list one header field of each message."""

    field_name: bytes
    number: int | None = None


Command: TypeAlias = (
    User
    | Pass
    | Apop
    | Rpop
    | Auth
    | Stls
    | Utf8
    | Lang
    | Capa
    | Quit
    | Stat
    | List
    | Uidl
    | Retr
    | Top
    | Dele
    | Noop
    | Rset
    | Last
    | XtndXmit
    | XtndXlst
)


# -- parsing ----------------------------------------------------------------------------------------------------------


class CommandSyntaxError(Exception):
    """A line that is no command. Its message may be sent to the peer and holds none of the peer's octets."""


class UnknownCommandError(CommandSyntaxError):
    """A keyword nobody here knows."""

    def __init__(self) -> None:
        super().__init__("unknown command")


_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_LINE: Final = re.compile(rb"([A-Za-z0-9]{3,4})(?:[ \t](.*))?")
_MECHANISM: Final = re.compile(rb"[A-Z0-9_-]{1,20}")  # RFC 4422 section 3.1
_DIGEST: Final = re.compile(rb"[0-9a-f]{32}")
_LANGUAGE_RANGE: Final = re.compile(rb"\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*")  # RFC 4647 section 2.1
_FIELD_NAME: Final = re.compile(rb"[!-9;-~]{1,76}")  # RFC 5322 section 2.2: printable, no colon


def parse_command(line: bytes) -> Command:
    """Parse one command line.

    Args:
        line: the line without its CRLF.

    Returns:
        The command; message numbers are positive but not yet checked against a maildrop.

    Raises:
        UnknownCommandError: the keyword is none of POP3's.
        CommandSyntaxError: over ``MAX_COMMAND_OCTETS``, control characters, wrong number or form of arguments.
    """
    if len(line) > MAX_COMMAND_OCTETS - 2:
        raise CommandSyntaxError("command line too long")
    if _CONTROL.search(line):
        raise CommandSyntaxError("control character in command")
    parts = _LINE.fullmatch(line)
    parse = _PARSERS.get(parts[1].upper()) if parts else None
    if parts is None or parse is None:
        raise UnknownCommandError
    return parse(parts[2] or b"")


def decode_base64(text: bytes) -> bytes:
    """Decode base64 strictly (RFC 4648 section 4): its alphabet only, padded, nothing after the padding.

    Raises:
        CommandSyntaxError: anything else.
    """
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        # "from None": the original message could carry a piece of a credential into a log.
        raise CommandSyntaxError("malformed base64") from None


def _words(arguments: bytes, least: int, most: int) -> list[bytes]:
    words = arguments.split()
    if not least <= len(words) <= most:
        raise CommandSyntaxError("wrong number of arguments")
    return words


def _number(digits: bytes, *, minimum: int = 1) -> int:
    # bytes.isdigit() is ASCII-only, so int() cannot meet "+1", " 1", "1_0" or Arabic digits.
    if not digits.isdigit() or len(digits) > MAX_NUMBER_DIGITS or (value := int(digits)) < minimum:
        raise CommandSyntaxError(f"expected a number of at least {minimum}")
    return value


def _bare(command: Command) -> Callable[[bytes], Command]:
    def parse(arguments: bytes) -> Command:
        _words(arguments, 0, 0)
        return command

    return parse


def _of_number(make: Callable[[int], Command]) -> Callable[[bytes], Command]:
    def parse(arguments: bytes) -> Command:
        (number,) = _words(arguments, 1, 1)
        return make(_number(number))

    return parse


def _of_number_or_all(make: Callable[[int | None], Command]) -> Callable[[bytes], Command]:
    def parse(arguments: bytes) -> Command:
        words = _words(arguments, 0, 1)
        return make(_number(words[0]) if words else None)

    return parse


def _user(arguments: bytes) -> User:
    (name,) = _words(arguments, 1, 1)
    return User(name)


def _pass(arguments: bytes) -> Pass:
    # Empty is refused here because some back ends take a bind with an empty password for an anonymous success.
    if not arguments:
        raise CommandSyntaxError("expected a password")
    return Pass(arguments)


def _apop(arguments: bytes) -> Apop:
    name, digest = _words(arguments, 2, 2)
    digest = digest.lower()
    if not _DIGEST.fullmatch(digest):
        raise CommandSyntaxError("expected a digest of 32 hexadecimal digits")
    return Apop(name, digest)


def _rpop(arguments: bytes) -> Rpop:
    (remote_user,) = _words(arguments, 1, 1)
    return Rpop(remote_user)


def _auth(arguments: bytes) -> Auth:
    words = _words(arguments, 0, 2)
    if not words:
        return Auth()
    mechanism = words[0].upper()
    if not _MECHANISM.fullmatch(mechanism):
        raise CommandSyntaxError("malformed mechanism name")
    initial = None
    if len(words) == 2:
        # A lone "=" says "present and empty" (RFC 5034 section 4).
        initial = b"" if words[1] == b"=" else decode_base64(words[1])
    return Auth(mechanism.decode("ascii"), initial)


def _lang(arguments: bytes) -> Lang:
    words = _words(arguments, 0, 1)
    if not words:
        return Lang()
    language_range = words[0].lower()
    if not _LANGUAGE_RANGE.fullmatch(language_range):
        raise CommandSyntaxError("malformed language range")
    return Lang(language_range.decode("ascii"))


def _top(arguments: bytes) -> Top:
    number, lines = _words(arguments, 2, 2)
    if not lines.isdigit():
        raise CommandSyntaxError("expected a number of lines")
    return Top(_number(number), min(int(lines), MAX_BODY_LINES))


def _xtnd(arguments: bytes) -> Command:
    words = _words(arguments, 1, 3)
    match words[0].upper(), words[1:]:
        case b"XMIT", []:
            return XtndXmit()
        case b"XLST", [name, *number] if _FIELD_NAME.fullmatch(name):
            return XtndXlst(name, _number(number[0]) if number else None)
        case ((b"XMIT" | b"XLST"), _):
            raise CommandSyntaxError("wrong arguments")
        case _:
            raise UnknownCommandError


_PARSERS: Final[Mapping[bytes, Callable[[bytes], Command]]] = {
    b"APOP": _apop,
    b"AUTH": _auth,
    b"CAPA": _bare(Capa()),
    b"DELE": _of_number(Dele),
    b"LANG": _lang,
    b"LAST": _bare(Last()),
    b"LIST": _of_number_or_all(List),
    b"NOOP": _bare(Noop()),
    b"PASS": _pass,
    b"QUIT": _bare(Quit()),
    b"RETR": _of_number(Retr),
    b"RPOP": _rpop,
    b"RSET": _bare(Rset()),
    b"STAT": _bare(Stat()),
    b"STLS": _bare(Stls()),
    b"TOP": _top,
    b"UIDL": _of_number_or_all(Uidl),
    b"USER": _user,
    b"UTF8": _bare(Utf8()),
    b"XTND": _xtnd,
}
