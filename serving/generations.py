"""Plans, the seats they make, and when a seat is filled again: what the supervisor keeps, without forks and signals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from serving.children import Child, ChildState, Role
from serving.sockets import Listener, ListenerPlan

STEADY_SECONDS: Final = 10.0  # a child that lived so long is replaced at once
BACKOFF_FIRST_SECONDS: Final = 0.25
BACKOFF_MAX_SECONDS: Final = 30.0
_EARLY_DEATHS_COUNTED: Final = 10  # more change nothing: 0.25 s doubled so often is far over the maximum


@dataclass(frozen=True, slots=True)
class SupervisorPlan:
    """What is to run. ``status_path`` is where status questions are answered, None for nowhere."""

    listeners: tuple[ListenerPlan, ...]
    roles: tuple[Role, ...]
    drain_seconds: float = 30.0
    status_path: Path | None = None


@dataclass(slots=True, eq=False)
class Seat:
    """One place for a child.

    ``start_at`` is when the next child is to be started: into the empty seat, or as successor of the child that sits in
    it and has asked for one.
    """

    role: Role
    child: Child | None = None
    start_at: float | None = None
    early_deaths: int = 0
    restarts: int = 0

    def take(self, child: Child) -> None:
        """Seat a new child; one that sits here already is its predecessor from now on."""
        child.predecessor, self.child, self.start_at = self.child, child, None

    def lose(self, heir: Child | None, *, lived_seconds: float, now: float) -> None:
        """The child is gone, or could not be started: ``heir`` sits here now, and ``start_at`` is set.

        The first one that dies early is replaced at once, further ones with delays that double.
        """
        self.child = heir
        delay = 0.0
        if lived_seconds < STEADY_SECONDS:
            delay = min(BACKOFF_FIRST_SECONDS * (2**self.early_deaths - 1), BACKOFF_MAX_SECONDS)
            self.early_deaths = min(self.early_deaths + 1, _EARLY_DEATHS_COUNTED)
        else:
            self.early_deaths = 0
        self.restarts += 1
        self.start_at = now + delay


@dataclass(slots=True, eq=False)
class Generation:
    """The children of one plan."""

    plan: SupervisorPlan
    listeners: tuple[Listener, ...]
    seats: tuple[Seat, ...]

    @property
    def ready(self) -> bool:
        """Whether every child does its work."""
        return all(seat.child is not None and seat.child.state is ChildState.READY for seat in self.seats)

    def seat_of(self, child: Child) -> Seat | None:
        """Where a child sits; None if another has taken its place, or it is of another generation."""
        return next((seat for seat in self.seats if seat.child is child), None)

    def children(self) -> tuple[Child, ...]:
        """Who sits here, and the predecessors of those who are not ready yet."""
        seated = [seat.child for seat in self.seats if seat.child is not None]
        return (*seated, *(child.predecessor for child in seated if child.predecessor is not None))


def generation_of(plan: SupervisorPlan, listeners: tuple[Listener, ...]) -> Generation:
    """A generation with empty seats."""
    return Generation(plan, listeners, tuple(Seat(role) for role in plan.roles for _ in range(role.count)))
