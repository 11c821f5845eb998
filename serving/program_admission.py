"""Which users' programs may run now: bookkeeping, without processes and without a clock of its own.

Somebody else's program is the one part of a delivery that nobody can bound but by stopping it. So a delivery that runs
programs takes a *slot* before it begins, and one that gets none is refused at once: its sender tries again. Nothing
waits here. A delivery is refused

1. while its user is in the *penalty box*: their programs have failed for now, or were stopped at their time limit. It
   lasts ``penalty_first_seconds``, twice as long with each further failure, and ``penalty_seconds_max`` at most;
2. while the user has as many deliveries of this kind under way as they may have;
3. while all slots are taken that somebody of the user's *standing* may take.

A user is *proven* if their last program ended well, *unknown* if nothing is known of them, and *on probation* after a
failure, or a success that took more than ``slow_seconds``. A quarter of the slots is kept from those who are not
proven, and those on probation have no more than a quarter. So however many users' programs hang, they hold up proven
users not at all; unknown ones for one time limit at most, since after it those whose programs hung are on probation;
and slow users mostly each other.

Forgiving goes step by step: a quick success takes back one failure, and the user is proven once none is left. Trouble
that is over for ``penalty_seconds_max`` is forgotten.
"""

from __future__ import annotations

import enum
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from spool.names import UserName

KNOWN_USERS_MAX: Final = 100_000
"""So many users are remembered as proven, and so many as troubled; beyond that the ones not heard of for longest go."""

Value = TypeVar("Value")


class NoSlotError(Exception):
    """No program of this user may start now; the text says why, for a log."""


class Standing(enum.IntEnum):
    """What is known of a user; who stands higher may take more of the slots."""

    PROBATION = 0
    UNKNOWN = 1
    PROVEN = 2


_WHOSE: Final[Mapping[Standing, str]] = {
    Standing.PROBATION: "of users on probation",
    Standing.UNKNOWN: "of users who are not proven",
    Standing.PROVEN: "in all",
}


@dataclass(frozen=True, slots=True)
class ProgramAdmissionSettings:
    """How many programs may run, and how long users whose programs make trouble have to wait.

    Attributes:
        slots: deliveries with programs under way at once, of all users.
        per_user: of one user, unless ``ProgramAdmission.admit`` is told another number.
        slow_seconds: a program that takes longer puts its user on probation.
        penalty_first_seconds: how long nothing of a user is run after a first failure.
        penalty_seconds_max: and at most, after many.
    """

    slots: int = 10
    per_user: int = 1
    slow_seconds: float = 30.0
    penalty_first_seconds: float = 30.0
    penalty_seconds_max: float = 3600.0


@dataclass(frozen=True, slots=True)
class _Trouble:
    """A user on probation: how long their last penalty was, less what is forgiven, and when the penalty box opens."""

    penalty_seconds: float
    until: float


class ProgramAdmission:
    """Keeps the rules above for one site.

    Memory is bounded by ``KNOWN_USERS_MAX``; everything but ``counters`` takes a time that grows with the slots only.

    Args:
        settings: how many, how long.
        clock: seconds that never go back.
    """

    def __init__(self, settings: ProgramAdmissionSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        quarter = settings.slots // 4
        self._shares: Mapping[Standing, int] = {
            Standing.PROBATION: max(1, quarter),
            Standing.UNKNOWN: settings.slots - quarter,
            Standing.PROVEN: settings.slots,
        }
        self._running: Counter[UserName] = Counter()
        # In both the user who was heard of longest ago comes first. Nobody is in both.
        self._proven: OrderedDict[UserName, None] = OrderedDict()
        self._troubled: OrderedDict[UserName, _Trouble] = OrderedDict()
        self._refused = 0

    def admit(self, user: UserName, at_most: int | None = None) -> None:
        """Take a slot; ``ended`` gives it back.

        Args:
            user: whose programs are to run.
            at_most: how many slots this user may have at once; None for what everybody may.

        Raises:
            NoSlotError: there is none for this user now; nothing was taken.
        """
        refusal = self._refusal(user, self._settings.per_user if at_most is None else at_most)
        if refusal is not None:
            self._refused += 1
            raise NoSlotError(f"{user}: {refusal}")
        self._running[user] += 1

    def ended(self, user: UserName, *, seconds: float, failed: bool) -> None:
        """Give a slot back.

        Args:
            user: who took it.
            seconds: for how long they had it.
            failed: whether a program did not take the message for now: a temporary exit status, a signal, its time was
                over, nobody knows. A refusal for good is none.
        """
        assert self._running[user] > 0, "taken before"
        self._running[user] -= 1
        if not self._running[user]:
            del self._running[user]
        if failed:
            self._punish(user)
        elif seconds > self._settings.slow_seconds:
            self._put_on_probation(user)
        else:
            self._forgive(user)

    def counters(self) -> dict[str, int]:
        """Figures for ``mailspool status``."""
        now = self._clock()
        remembered = [trouble for user in self._troubled if (trouble := self._trouble_of(user)) is not None]
        penalised = sum(trouble.until > now for trouble in remembered)
        return {
            "programs": self._running.total(),
            "programs_refused": self._refused,
            "users_penalised": penalised,
            "users_on_probation": len(remembered) - penalised,
        }

    # -- the rules

    def _refusal(self, user: UserName, at_most: int) -> str | None:
        trouble = self._trouble_of(user)
        if trouble is not None and (seconds := trouble.until - self._clock()) > 0:
            return f"programs of this user have failed, and none is run for another {seconds:.0f} seconds"
        if (running := self._running.get(user, 0)) >= at_most:
            return f"{running} programs of this user are running, and no more than {at_most} may"
        standing = self._standing(user)
        for limited, share in self._shares.items():
            if standing <= limited and (taken := self._taken_by(limited)) >= share:
                return f"{taken} programs {_WHOSE[limited]} are running, and no more than {share} may"
        return None

    def _taken_by(self, highest: Standing) -> int:
        return sum(running for user, running in self._running.items() if self._standing(user) <= highest)

    def _standing(self, user: UserName) -> Standing:
        if user in self._proven:
            return Standing.PROVEN
        return Standing.UNKNOWN if self._trouble_of(user) is None else Standing.PROBATION

    # -- what is known

    def _trouble_of(self, user: UserName) -> _Trouble | None:
        trouble = self._troubled.get(user)
        if trouble is None or trouble.until + self._settings.penalty_seconds_max < self._clock():
            return None
        return trouble

    def _punish(self, user: UserName) -> None:
        before = self._penalty_seconds(user)
        seconds = min(max(self._settings.penalty_first_seconds, before * 2), self._settings.penalty_seconds_max)
        self._remember(user, _Trouble(seconds, self._clock() + seconds))

    def _put_on_probation(self, user: UserName) -> None:
        self._remember(user, _Trouble(self._penalty_seconds(user), self._clock()))

    def _forgive(self, user: UserName) -> None:
        seconds = self._penalty_seconds(user) / 2
        if seconds >= self._settings.penalty_first_seconds:
            self._remember(user, _Trouble(seconds, self._clock()))
            return
        self._troubled.pop(user, None)
        _put_last(self._proven, user, None)

    def _penalty_seconds(self, user: UserName) -> float:
        trouble = self._trouble_of(user)
        return 0.0 if trouble is None else trouble.penalty_seconds

    def _remember(self, user: UserName, trouble: _Trouble) -> None:
        self._proven.pop(user, None)
        _put_last(self._troubled, user, trouble)


def _put_last(known: OrderedDict[UserName, Value], user: UserName, value: Value) -> None:
    known[user] = value
    known.move_to_end(user)
    if len(known) > KNOWN_USERS_MAX:
        known.popitem(last=False)
