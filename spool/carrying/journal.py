"""What a carrying of messages must remember over a crash: which messages it has staged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spool import durable
from spool.carrying.stage import Staged
from spool.errors import MailboxUnavailableError

_FORM: Final = "staged-1"


@dataclass(frozen=True, slots=True)
class Carrying:
    """One carrying.

    Attributes:
        staged: what was staged, to be published.
        taken: identities of what is to be removed from the source, once for each copy; besides the messages staged,
            what doubles one of them or is a torn beginning of one.
    """

    staged: Sequence[Staged]
    taken: Sequence[str]


def load_carrying(path: Path) -> Carrying | None:
    """Read a journal; None if there is none.

    Raises:
        MailboxUnavailableError: it cannot be read, or is none of ours.
    """
    with durable.storage_errors(path):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
    try:
        found = json.loads(data)
        staged = [Staged(name, key, unique_id) for name, key, unique_id in found[_FORM]]
        return Carrying(staged, list(found["taken"]))
    except (KeyError, TypeError, ValueError) as error:
        raise MailboxUnavailableError(f"{path}: not a journal of ours: {error}") from error


def save_carrying(path: Path, carrying: Carrying) -> None:
    """Write a journal. Holds when it returns; a crash before that leaves the one before, or none.

    Raises:
        SpoolError: it cannot be written.
    """
    staged = [(message.name, message.key, message.unique_id) for message in carrying.staged]
    found = {_FORM: staged, "taken": list(carrying.taken)}
    with durable.storage_errors(path):
        durable.replace_file(path, [json.dumps(found).encode("ascii")])


def remove_carrying(path: Path) -> None:
    """Remove a journal, if there is one. Holds when it returns.

    Raises:
        SpoolError: it cannot be removed.
    """
    with durable.storage_errors(path):
        if durable.remove(path):
            durable.sync_directory(path.parent)
