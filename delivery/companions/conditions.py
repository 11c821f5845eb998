"""``except``, ``bouncesaying`` and ``condredirect``: what follows in an instruction file, on a condition.

The condition is a program that gets the message and exits with 0 for yes and with 111 for "ask again later"; any other
status is no (except(1), bouncesaying(1), condredirect(1)).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import assert_never

from delivery.companions.statuses import CannotRunError, Exit, exit_of


class _Answer(enum.Enum):
    YES = enum.auto()
    NO = enum.auto()
    LATER = enum.auto()


def except_(program: Sequence[str]) -> Exit:
    """Turn a condition round: go on unless the program says yes."""
    match _ask(program):
        case _Answer.YES:
            return Exit.REFUSE
        case _Answer.NO:
            return Exit.GO_ON
        case _Answer.LATER:
            return Exit.TRY_LATER
        case never:
            assert_never(never)


def bouncesaying(text: str, program: Sequence[str], say: Callable[[str], object]) -> Exit:
    """Refuse the message with a text, always or if a program says yes."""
    match _ask(program) if program else _Answer.YES:
        case _Answer.YES:
            say(text)
            return Exit.REFUSE
        case _Answer.NO:
            return Exit.GO_ON
        case _Answer.LATER:
            return Exit.TRY_LATER
        case never:
            assert_never(never)


def condredirect(program: Sequence[str], redirect: Callable[[], object]) -> Exit:
    """Hand the message over to another address and stop, if a program says yes."""
    match _ask(program):
        case _Answer.YES:
            redirect()
            return Exit.STOP
        case _Answer.NO:
            return Exit.GO_ON
        case _Answer.LATER:
            return Exit.TRY_LATER
        case never:
            assert_never(never)


def _ask(program: Sequence[str]) -> _Answer:
    try:
        status = exit_of(program)
    except CannotRunError as error:
        # A program that is not there says no, as it does where a shell starts it (127).
        return _Answer.NO if error.status is Exit.REFUSE else _Answer.LATER
    return {0: _Answer.YES, Exit.TRY_LATER: _Answer.LATER}.get(status, _Answer.NO)
