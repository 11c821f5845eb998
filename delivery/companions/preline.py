"""``preline``: the message with the lines before it that a delivery adds, for programs that want them (preline(1))."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn

from delivery.companions.statuses import CannotRunError, variable
from delivery.messages import PIECE_OCTETS, standard_input

LINES = {"from": "UFLINE", "return-path": "RPLINE", "delivered-to": "DTLINE"}
"""The lines in their order, by the names of the options that leave them out."""


def preline(program: Sequence[str], environment: Mapping[str, str], lines: Sequence[str]) -> NoReturn:
    """Become a program whose standard input is the lines and the message; its exit status is ours.

    Args:
        program: the program and its arguments.
        environment: ours.
        lines: names in ``LINES``.

    Raises:
        MissingVariableError: we were not called from an instruction line.
        CannotRunError: the program cannot be run.
    """
    before = "".join(variable(environment, LINES[name]) for name in LINES if name in lines)
    try:
        os.dup2(standard_input(_with(before.encode("utf-8", "surrogateescape"))), 0)
        os.execvp(program[0], list(program))  # noqa: S606 - what the user wrote, as the user
    except OSError as error:
        raise CannotRunError(error) from error


def _with(before: bytes) -> Iterator[bytes]:
    yield before
    while piece := os.read(0, PIECE_OCTETS):
        yield piece
