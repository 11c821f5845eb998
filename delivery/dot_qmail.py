"""Instruction files in qmail's form (dot-qmail(5)).

==================  ==================================================================================
a line begins with  it means
==================  ==================================================================================
``#``               a comment
``.`` or ``/``      a path; one that ends in ``/`` is a Maildir, any other an mbox
``|``               a command for the shell
``&``               an address
``+list``           from here on only addresses are allowed; any other line with ``+`` says nothing
anything else       an address, the whole line
==================  ==================================================================================

White space at a line's end is no part of it. A blank first line is an error: qmail leaves mail waiting there, so that
a file that is being written does not lose any. We are stricter in three things. A NUL is an error. An mbox, Maildir or
program where only addresses are allowed is an error of the whole file, found before anything was delivered, where
qmail comes to it after delivering what stands above. And so is an address that cannot be one.
"""

from __future__ import annotations

from typing import Final

from delivery.addresses import ADDRESS_OCTETS_MAX
from delivery.destinations import Destination, Forward, Instruction, MaildirFile, MboxFile, Program
from delivery.errors import InstructionsError

FILE_OCTETS_MAX: Final = 1024 * 1024  # qmail reads any; a list of 20,000 members fits


def parse_dot_qmail(text: bytes, *, addresses_only: bool = False) -> tuple[Instruction, ...]:
    """Parse a file that is not empty; of an empty one the default delivery is meant.

    Args:
        text: the whole file.
        addresses_only: the file's owner may execute it, which makes it a list of addresses.

    Returns:
        The instructions in their order; none if there are only comments: then the message is thrown away.

    Raises:
        InstructionsError: naming the line.
    """
    if b"\0" in text:
        raise InstructionsError(f"line {text[: text.index(0)].count(10) + 1}: it contains a NUL")
    lines = text.decode("utf-8", "surrogateescape").split("\n")
    instructions = []
    for number, raw in enumerate(lines, start=1):
        line = raw.rstrip(" \t")
        if not line and number == 1:
            raise InstructionsError("line 1: it is blank, as in a file that is still being written")
        if line == "+list":
            addresses_only = True
        destination = _destination(line, number)
        if destination is None:
            continue
        if addresses_only and not isinstance(destination, Forward):
            raise InstructionsError(f"line {number}: only addresses are allowed here")
        instructions.append(Instruction(number, destination))
    return tuple(instructions)


def _destination(line: str, number: int) -> Destination | None:
    match line[:1]:
        case "" | "#" | "+":
            return None
        case "." | "/":
            path = line.rstrip("/")
            return MaildirFile(path or "/") if line.endswith("/") else MboxFile(line)
        case "|":
            return Program(line[1:])
        case "&":
            return Forward(_address(line[1:], number))
        case _:
            return Forward(_address(line, number))


def _address(text: str, number: int) -> str:
    # No look at its form beyond that: whoever takes the mail from us decides what it is.
    if not text or len(text) > ADDRESS_OCTETS_MAX or "\r" in text:
        raise InstructionsError(f"line {number}: not an address")
    return text
