"""What is remembered of a user's conversions: what is under way, and which former mailboxes are kept."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spool import durable
from spool.errors import MailboxUnavailableError
from spool.names import UserName

_FORM: Final = "conversions-1"


@dataclass(frozen=True, slots=True)
class Conversion:
    """One mailbox that another one has taken the place of, or is about to.

    Attributes:
        source: ``MailboxLocation.state_name`` of the former mailbox.
        target: that of the new one.
        kept: the name that the former mailbox has now, in the directory where it was.
        began_at: when, in seconds since 1970.
        end: where in a former mbox mail begins that came too late to be converted.
        bases: the messages of a former Maildir that were converted; others came too late.
        complete: whether the new one has taken its place.
    """

    source: str
    target: str
    kept: str
    began_at: float
    end: int = 0
    bases: tuple[str, ...] = ()
    complete: bool = False


def record_path(maintenance: Path, user: UserName) -> Path:
    """Name the file in the directory of ``spool.maintenance`` in which a user's conversions are remembered."""
    return maintenance / "conversions" / f"{user}.json"


def load_conversions(path: Path) -> Sequence[Conversion]:
    """Read a user's conversions, the newest last.

    Raises:
        MailboxUnavailableError: the file cannot be read, or is none of ours.
    """
    with durable.storage_errors(path):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return ()
    try:
        return tuple(
            Conversion(**{**conversion, "bases": tuple(conversion["bases"])}) for conversion in json.loads(data)[_FORM]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise MailboxUnavailableError(f"{path}: not a record of ours: {error}") from error


def save_conversions(path: Path, conversions: Sequence[Conversion]) -> None:
    """Write a user's conversions, or remove the file if there are none. Holds when it returns.

    Raises:
        SpoolError: it cannot be written.
    """
    with durable.storage_errors(path):
        if conversions:
            if not path.parent.is_dir():
                durable.make_directory(path.parent)
            text = json.dumps({_FORM: [dataclasses.asdict(conversion) for conversion in conversions]})
            durable.replace_file(path, [text.encode("ascii")])
        elif durable.remove(path):
            durable.sync_directory(path.parent)
