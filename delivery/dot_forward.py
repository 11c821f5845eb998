r"""Instruction files in sendmail's form (``.forward``, aliases(5)).

Entries are divided by commas and line ends. Lines that begin with ``#``, and what stands in parentheses in an address,
are comments. An entry, or a part of one, may stand in double quotes, in which a backslash takes the next character as
it is.

===========================  =========================================================================
an entry                     it means
===========================  =========================================================================
``|command``                 a command for the shell, which gets the message as ``preline`` passes it on
``/path``                    an mbox, or a Maildir if it ends in ``/``
``\user``, ``user``           the user's own maildrop if it is their name, else that user of the domain
``user@domain``              the user's own maildrop if it is their address, else an address
``Name <address>``           the address
``:include:/path``           the entries of that file, which may be addresses only
===========================  =========================================================================

A file without an entry counts as none, so that a user who empties it does not lose mail.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from delivery.addresses import ADDRESS_OCTETS_MAX, split_address
from delivery.destinations import Destination, Forward, Instruction, MaildirFile, MboxFile, OwnMaildrop, Program
from delivery.errors import InstructionsError
from spool.names import UserName

INCLUDES_MAX: Final = 10
"""Files that one ``.forward`` may include, in all, so that two that include each other come to an end."""

_INCLUDE: Final = ":include:"
_NOTHING: Final = re.compile(r"(?:\s|\([^()]*\))*")  # blanks and comments
_IN_ANGLES: Final = re.compile(r"<([^<>]*)>\s*\Z")
_PIECE: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|\\.|[(),\n]|[^"\\(),\n]+|["\\]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose file it is: the user, and the domain of the address that is being delivered, which completes others."""

    user: UserName
    domain: str

    def address(self, text: str) -> OwnMaildrop | Forward:
        """Say where an address without comments leads."""
        local, domain = split_address(text)
        domain = self.domain if domain is None else domain
        if local.lower() == self.user.text and domain.lower() == self.domain.lower():
            return OwnMaildrop()
        return Forward(f"{local}@{domain}")


def parse_dot_forward(text: bytes, owner: Owner, *, include: Callable[[str], bytes]) -> tuple[Instruction, ...]:
    """Parse a file.

    Args:
        text: the whole file.
        owner: whose it is.
        include: reads a file that is included, given its path.

    Returns:
        The instructions in their order, those of included files at the line that includes them; none if the file has
        no entry.

    Raises:
        InstructionsError: naming the line; ``include`` may raise it, too.
    """
    return tuple(_Parser(owner, include).parse(text))


class _Parser:
    def __init__(self, owner: Owner, include: Callable[[str], bytes]) -> None:
        self._owner = owner
        self._include = include
        self._includes = 0

    def parse(self, text: bytes, *, at: int | None = None) -> Iterator[Instruction]:
        """Yield the instructions of a file; ``at`` is the line that includes it, and makes it one of addresses only."""
        if b"\0" in text:
            raise InstructionsError("it contains a NUL")
        for number, entry in _entries(text.decode("utf-8", "surrogateescape")):
            if entry.lower().startswith(_INCLUDE):
                yield from self._included(entry[len(_INCLUDE) :].strip(), at or number)
                continue
            destination = self._destination(entry, number)
            if at is not None and not isinstance(destination, Forward | OwnMaildrop):
                raise InstructionsError(f"line {at}: an included file may hold addresses only")
            yield Instruction(at or number, destination)

    def _included(self, path: str, number: int) -> Iterator[Instruction]:
        self._includes += 1
        if self._includes > INCLUDES_MAX:
            raise InstructionsError(f"line {number}: more than {INCLUDES_MAX} files are included")
        yield from self.parse(self._include(path), at=number)

    def _destination(self, entry: str, number: int) -> Destination:
        plain = _unquoted(entry)
        match plain[:1]:
            case "|":
                command = _unquoted(plain[1:].strip())
                if not command:
                    raise InstructionsError(f"line {number}: a program without a name")
                return Program(command, preline=True)
            case "/":
                return MaildirFile(plain.rstrip("/") or "/") if plain.endswith("/") else MboxFile(plain)
            case "\\":
                return self._owner.address(_address(plain[1:], number))
            case _:
                return self._owner.address(_address(entry, number))


def _entries(text: str) -> Iterator[tuple[int, str]]:
    """Cut a text into entries, each with the number of the line it begins in; blank ones and comments are left out."""
    text = re.sub(r"(?m)^#.*$", "", text.replace("\r\n", "\n"))
    entry, number, depth = "", 1, 0
    for match in _PIECE.finditer(text + "\n"):
        piece = match[0]
        if piece == "\n" or (piece == "," and not depth):
            if depth or '"' in re.sub(r'"(?:[^"\\]|\\.)*"|\\.', "", entry):
                raise InstructionsError(f"line {number}: a quote or a parenthesis is not closed")
            if not _NOTHING.fullmatch(entry):
                yield number, entry.strip()
            entry = ""
            number += piece == "\n"
        else:
            depth += (piece == "(") - (piece == ")" and depth > 0)
            entry += piece


def _unquoted(text: str) -> str:
    """Take quotes off a text that is wholly in quotes."""
    if len(text) > 1 and re.fullmatch(r'"(?:[^"\\]|\\.)*"', text, re.DOTALL):
        return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    return text


def _address(entry: str, number: int) -> str:
    """Find the address in an entry: without comments, without a name before angle brackets."""
    bare = re.sub(r'("(?:[^"\\]|\\.)*")|\([^()]*\)', lambda found: found[1] or "", entry).strip()
    if angles := _IN_ANGLES.search(bare):
        bare = angles[1].strip()
    written, domain = split_address(bare)
    local = _unquoted(written)
    plain = bare if local == written else domain or ""
    if not local or len(bare) > ADDRESS_OCTETS_MAX or re.search(r"[\s<>]", plain):
        raise InstructionsError(f"line {number}: not an address")
    return local if domain is None else f"{local}@{domain}"
