"""Making another server's ids ours, where they may be; what RFC 1939 section 7 forbids stays out and is reported."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spool.foreign_ids.old_mailbox import FoundIds
from spool.unique_id_book import is_unique_id


class Reason(enum.Enum):
    """Why a message keeps our id though the old server had one for it."""

    NOT_A_UNIQUE_ID = "is no unique-id"
    GIVEN_TWICE = "is the id of an earlier message, too"
    ANOTHERS = "is our id of another message"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A message (by number, from 1) that keeps our id; ``old_id`` is what the old server had, cut at 100 characters."""

    number: int
    old_id: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be imported.

    Attributes:
        ids_by_key: for ``UniqueIdFile.import_ids``; empty if nothing is to be changed.
        new: how many messages get another id than they have.
        kept: how many have the old server's id already.
        unmatched: how many have none that is known, and keep ours.
        conflicts: whose id cannot be taken over.
    """

    ids_by_key: Mapping[str, Sequence[str]]
    new: int
    kept: int
    unmatched: int
    conflicts: tuple[Conflict, ...]


def plan(keys: Sequence[str], current: Sequence[str], found: FoundIds) -> Plan:
    """Decide which ids are taken over.

    Args:
        keys: of all messages of the mailbox, in order.
        current: the ids that they have with us.
        found: the ids that they had on the old server.
    """
    conflicts: list[Conflict] = []
    wanted: dict[int, str] = {}
    seen: set[str] = set()
    for position, old_id in enumerate(found):
        if old_id is None:
            continue
        if not is_unique_id(old_id):
            conflicts.append(Conflict(position + 1, old_id[:100], Reason.NOT_A_UNIQUE_ID))
        elif old_id in seen:
            conflicts.append(Conflict(position + 1, old_id, Reason.GIVEN_TWICE))
        else:
            wanted[position] = old_id
            seen.add(old_id)
    kept = [position for position, old_id in wanted.items() if current[position] == old_id]
    for position in kept:
        del wanted[position]
    conflicts += _withdraw(wanted, current)
    return Plan(
        ids_by_key=_by_key(keys, current, wanted),
        new=len(wanted),
        kept=len(kept),
        unmatched=sum(old_id is None for old_id in found),
        conflicts=tuple(sorted(conflicts, key=lambda conflict: conflict.number)),
    )


def _withdraw(wanted: dict[int, str], current: Sequence[str]) -> list[Conflict]:
    """Take out what another message has as its id, and keeps."""
    takers = {old_id: position for position, old_id in wanted.items()}
    # A message that keeps its id after all may be the reason why the one that wanted it keeps its own, and so on.
    staying = [position for position in range(len(current)) if position not in wanted]
    conflicts = []
    while staying:
        taker = takers.get(current[staying.pop()])
        if taker is not None and taker in wanted:
            conflicts.append(Conflict(taker + 1, wanted.pop(taker), Reason.ANOTHERS))
            staying.append(taker)
    return conflicts


def _by_key(keys: Sequence[str], current: Sequence[str], wanted: Mapping[int, str]) -> dict[str, list[str]]:
    changed = {keys[position] for position in wanted}
    ids_by_key: dict[str, list[str]] = {key: [] for key in keys if key in changed}
    for position, key in enumerate(keys):
        if key in changed:  # all copies of it, also those that keep theirs
            ids_by_key[key].append(wanted.get(position, current[position]))
    return ids_by_key
