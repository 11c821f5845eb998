"""The checkpassword interface of qmail: a program that reads name and password from descriptor 3 and exits 0 for yes.

After a yes it executes the program it was given; ours is ``true``. So 0 says that the password was right, 1 that it
was not, and everything else that nobody knows (``accounts.checks.ExternalCheck.result``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from accounts.checks import ExternalCheck

MAX_INPUT_OCTETS: Final = 512  # what the interface promises programs they will not have to read beyond
_NEXT_PROGRAM: Final = "true"


class UnfitInputError(Exception):
    """A name or password that the interface cannot carry, and so fits no account behind it."""


def checkpassword_check(command: Sequence[str], name: bytes, password: bytes, timestamp: bytes = b"") -> ExternalCheck:
    """Describe a check by a checkpassword program.

    Args:
        command: the program and its arguments.
        name: the account.
        password: the password; or an APOP digest, with the ``timestamp`` it covers.
        timestamp: the greeting's, angle brackets included; empty with a password.

    Raises:
        UnfitInputError: too long, or a NUL within.
    """
    return ExternalCheck((*command, _NEXT_PROGRAM), input_octets(name, password, timestamp))


def input_octets(*fields: bytes) -> bytes:
    """What the child reads: each field and a NUL.

    Raises:
        UnfitInputError: too long, or a NUL within.
    """
    octets = b"".join(field + b"\0" for field in fields)
    if len(octets) > MAX_INPUT_OCTETS or octets.count(b"\0") != len(fields):
        raise UnfitInputError("name and password do not fit the checkpassword interface")
    return octets
