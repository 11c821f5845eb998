"""``control/programs``: how many programs of single users may run at once, and for how long.

A line ``user:programs:seconds`` for each; a field may be empty, and the settings hold for it. ``0`` programs mean that
mail for this user's programs waits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from delivery.settings import DeliverySettings
from spool.control_files import ListFile
from spool.errors import MalformedNameError, SettingsError
from spool.names import UserName

_LINE: Final = re.compile(r"([^:]*):([0-9]{0,9}):([0-9]{0,9}(?:\.[0-9]{1,9})?)")


@dataclass(frozen=True, slots=True)
class ProgramShare:
    """What a user's programs may have: ``at_once`` deliveries that run some, and ``seconds`` for each program."""

    at_once: int
    seconds: float


_Lines: TypeAlias = Mapping[str, tuple[int, str]]


class ProgramShares:
    """What each user's programs may have. Safe for threads.

    A line is understood when its user is asked for, so that what is wrong in it holds up nobody else.

    Args:
        path: the file; it may be missing.
        settings: hold for users without a line, and for empty fields.
    """

    def __init__(self, path: Path, settings: DeliverySettings) -> None:
        self._default: Final = ProgramShare(settings.programs_per_user, settings.program_seconds)
        self._file: Final[ListFile[_Lines]] = ListFile(path, _by_user, missing={})

    def of(self, user: UserName) -> ProgramShare:
        """Return a user's share. Of several lines for one user the first counts.

        Raises:
            SettingsError: the file cannot be read, or the user's line is wrong.
        """
        found = self._file.content().get(user.text)
        return self._default if found is None else self._share(*found)

    def all(self) -> Mapping[UserName, ProgramShare]:
        """Return the shares of users who have a line.

        Raises:
            SettingsError: the file cannot be read, or a line is wrong.
        """
        shares: dict[UserName, ProgramShare] = {}
        for user, (number, line) in self._file.content().items():
            share = self._share(number, line)
            try:
                shares[UserName(user)] = share
            except MalformedNameError as error:
                raise SettingsError(f"{self._file.path}: line {number}: {error}") from error
        return shares

    def _share(self, number: int, line: str) -> ProgramShare:
        found = _LINE.fullmatch(line)
        if found is None or (found[3] and float(found[3]) == 0):
            raise SettingsError(
                f"{self._file.path}: line {number}: expected user:programs:seconds, found {line[:80]!r}"
            )
        at_once, seconds = found[2], found[3]
        return ProgramShare(
            int(at_once) if at_once else self._default.at_once,
            float(seconds) if seconds else self._default.seconds,
        )


def _by_user(lines: Iterable[tuple[int, str]]) -> _Lines:
    found: dict[str, tuple[int, str]] = {}
    for number, line in lines:
        found.setdefault(line.partition(":")[0], (number, line))
    return found
