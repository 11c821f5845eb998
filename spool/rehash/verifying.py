"""Whether everybody's mail is still what it was before a rehash.

Within a file system a home is renamed, and a rename changes nothing in it; so what a run remembers of each is which
directory it was (device and inode), at no cost. A copy is compared with the original, octet for octet, before it is
published. Who wants to see for themselves has all messages recorded beforehand, which reads all mail once:
``spool-rehash plan --record``. Mail goes on meanwhile, so what is new is counted, and so is what is gone: its owner has
removed it. A message that is there must have its unique-id and its octets.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from spool import durable
from spool.acting_as import acting_as, dotlock_groups
from spool.assign_directory import AssignDirectory
from spool.errors import MailboxBusyError, MailboxUnavailableError, SpoolError
from spool.homes import locate_mailbox
from spool.mailbox import Maildrop
from spool.mailboxes import open_mailbox
from spool.maintenance import maintenance
from spool.names import UserName
from spool.progress import Progress, counted
from spool.rehash.journal import Journal
from spool.rehash.moves import Move, RehashError, Trouble
from spool.rehash.rehash import Means
from spool.settings import SpoolSettings
from spool.site import Site

_RECORD: Final = "rehash-before"
_DIGEST_OCTETS: Final = 16


@dataclass(slots=True)
class Verified:
    """What a comparison came to.

    Attributes:
        homes: homes that are where they were moved to, and can be opened.
        compared: those of them whose messages had been recorded.
        same: messages with the unique-id and the octets they had.
        gone: messages that were removed since.
        new: messages that came since.
        busy: users whose mailbox was in use by a program that kept us out.
        wrong: what is not as it should be.
    """

    homes: int = 0
    compared: int = 0
    same: int = 0
    gone: int = 0
    new: int = 0
    busy: list[UserName] = field(default_factory=list)
    wrong: list[Trouble] = field(default_factory=list)


def record_mailboxes(
    site: Site, settings: SpoolSettings, moves: Iterable[Move], means: Means, progress: Progress
) -> int:
    """Record unique-id, size and digest of each message of those who shall be moved, in the place of earlier records.

    Holds when it returns; a crash before that leaves the earlier records. Mailboxes that cannot be opened now are left
    out.

    Returns:
        How many mailboxes were recorded.

    Raises:
        MaintenanceBusyError: another maintenance program runs.
        SpoolError: the records cannot be written.
    """
    recorded = 0

    def lines() -> Iterator[bytes]:
        nonlocal recorded
        for move in counted(list(moves), progress, "mailboxes read"):
            with contextlib.suppress(SpoolError):
                messages = _messages(move.user, move.uid, move.gid, move.old, settings, means)
                yield json.dumps([move.user.text, messages]).encode("ascii") + b"\n"
                recorded += 1

    with maintenance(site) as directory, durable.storage_errors(directory):
        durable.replace_file(directory / _RECORD, lines())
    return recorded


def verify(
    site: Site, settings: SpoolSettings, users: frozenset[UserName], means: Means, progress: Progress
) -> Verified:
    """Look at everybody who was moved, or at those of them who are named; changes nothing.

    Raises:
        RehashError: nothing was rehashed.
        SpoolError: journal, records or assignments cannot be read.
    """
    journal = Journal.load(site.maintenance)
    if journal is None:
        raise RehashError("nothing was rehashed")
    before = _recorded(site.maintenance / _RECORD)
    directory = AssignDirectory(site.assign_compiled)
    verified = Verified()
    moved = [(move, identity) for user, (move, identity) in journal.moved.items() if not users or user in users]
    for move, identity in counted(moved, progress, "mailboxes", len(moved)):
        try:
            record = directory.user(move.user)
            if record.home != move.new:
                raise MailboxUnavailableError(f"was moved to {move.new}, and is assigned {record.home}")
            status = move.new.lstat()
            if (status.st_dev, status.st_ino) != identity:
                raise MailboxUnavailableError(f"{move.new} is not the home that was put there")
            messages = _messages(move.user, record.uid, record.gid, move.new, settings, means)
            verified.homes += 1
            if move.user in before:
                _compare(before[move.user], messages, verified)
        except MailboxBusyError:
            verified.busy.append(move.user)
        except (SpoolError, OSError) as error:
            verified.wrong.append(Trouble(move.user, str(error)))
    return verified


def _compare(before: Mapping[str, object], now: Mapping[str, object], verified: Verified) -> None:
    verified.compared += 1
    for unique_id in before.keys() & now.keys():
        if before[unique_id] != now[unique_id]:
            raise MailboxUnavailableError(f"the message {unique_id} is another one than before")
        verified.same += 1
    verified.gone += len(before.keys() - now.keys())
    verified.new += len(now.keys() - before.keys())


def _messages(
    user: UserName, uid: int, gid: int, home: Path, settings: SpoolSettings, means: Means
) -> dict[str, list[object]]:
    """Read size and digest of each message, by unique-id, with the rights of the owner."""
    with acting_as(uid, gid, groups=dotlock_groups(settings), uid_min=means.uid_min):
        location = locate_mailbox(user, uid=uid, gid=gid, home=home, settings=settings)
        maildrop = open_mailbox(location, settings).open_maildrop(share=True)
        try:
            sizes = maildrop.wire_octets
            return {
                unique_id: [sizes[number - 1], _digest(maildrop, number)]
                for number, unique_id in enumerate(maildrop.unique_ids, 1)
            }
        finally:
            maildrop.close()


def _digest(maildrop: Maildrop, number: int) -> str:
    digest = hashlib.blake2b(digest_size=_DIGEST_OCTETS)
    reader = maildrop.open_message(number)
    try:
        while piece := reader.read():
            digest.update(piece)
    finally:
        reader.close()
    return digest.hexdigest()


def _recorded(path: Path) -> Mapping[UserName, Mapping[str, object]]:
    with durable.storage_errors(path):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return {}
    try:
        return {UserName(user): messages for user, messages in map(json.loads, data.splitlines())}
    except (TypeError, ValueError) as error:
        raise MailboxUnavailableError(f"{os.fspath(path)}: not records of ours: {error}") from error
