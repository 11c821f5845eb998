"""Exit statuses of the companions, and running the program that one of them is given (qmail-command(8))."""

from __future__ import annotations

import enum
import errno
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Final


class Exit(enum.IntEnum):
    """What a companion tells the delivery."""

    GO_ON = 0
    STOP = 99
    REFUSE = 100
    TRY_LATER = 111


# A program that is not there will not be there in a minute either; everything else may be better then.
_NEVER: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ENOEXEC})


class CannotRunError(Exception):
    """The program was not run; ``status`` is what a companion makes of that."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"{error.filename or 'program'}: {error.strerror}")
        self.status = Exit.REFUSE if error.errno in _NEVER else Exit.TRY_LATER


class MissingVariableError(Exception):
    """The environment lacks a variable: the companion was not called from an instruction line."""


def variable(environment: Mapping[str, str], name: str) -> str:
    """Return a variable.

    Raises:
        MissingVariableError: it is not set.
    """
    value = environment.get(name)
    if value is None:
        raise MissingVariableError(f"{name} is not set: call me from an instruction line")
    return value


def exit_of(arguments: Sequence[str]) -> int:
    """Run a program with our standard input from its beginning, and rewind that afterwards.

    Returns:
        Its exit status; a program that a signal ended counts as 111.

    Raises:
        CannotRunError: it could not be run.
    """
    _rewind()
    try:
        status = subprocess.run(arguments, check=False).returncode  # noqa: S603 - what the user wrote, as the user
    except OSError as error:
        raise CannotRunError(error) from error
    _rewind()
    return Exit.TRY_LATER if status < 0 else status


def _rewind() -> None:
    os.lseek(0, 0, os.SEEK_SET)
