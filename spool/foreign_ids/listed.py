"""Ids from a plain list, such as a script makes of another server's database, or ``spool-uidl list`` elsewhere.

One message a line, in the order of the mailbox; empty lines and lines that begin with ``#`` do not count. A line is one
of

    ID
    SIZE ID              SIZE in octets, as LIST tells it
    NUMBER SIZE ID       as ``spool-uidl list`` prints it; the number is passed over
    NAME ID              NAME of the file in a Maildir, up to the colon or with what follows

and all lines of a list are of one form. By name each message is found wherever it stands. By size it is found if the
list has as many messages of that size as the mailbox, and if that does not contradict what other sizes say of the
order: mail that came since is no trouble, nor is mail that is gone. By position alone nothing tells whether a list is
right, so it must have as many lines as there are messages.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from spool.errors import ForeignIdsError
from spool.foreign_ids.matching import pair, without_crossings
from spool.foreign_ids.old_mailbox import FoundIds, OldMailbox
from spool.foreign_ids.user_files import ListFile
from spool.maildir.names import split_name

_Lines: TypeAlias = Sequence[Sequence[str]]

_DIGITS_MAX: Final = 18


@dataclass(frozen=True, slots=True)
class ListedIds:
    """Finds ids in a list."""

    file: ListFile

    def __call__(self, mailbox: OldMailbox) -> FoundIds:
        """Find the ids.

        Raises:
            ForeignIdsError: its lines have several forms or none of them, or there are too few or too many.
        """
        lines = _parse(self.file)
        if not lines:
            return [None] * len(mailbox.messages)
        match len(lines[0]):
            case 1:
                return self._by_position(lines, mailbox)
            case 2 if not all(words[0].isdigit() for words in lines):
                return _by_name(lines, mailbox)
            case _:
                return self._by_size(lines, mailbox)

    def _by_position(self, lines: _Lines, mailbox: OldMailbox) -> FoundIds:
        if len(lines) != len(mailbox.messages):
            raise ForeignIdsError(
                f"{self.file.path}: {len(lines)} ids without sizes or names for {len(mailbox.messages)} messages"
            )
        return [words[0] for words in lines]

    def _by_size(self, lines: _Lines, mailbox: OldMailbox) -> FoundIds:
        for number, words in enumerate(lines, 1):
            if not words[-2].isdigit() or len(words[-2]) > _DIGITS_MAX:
                raise ForeignIdsError(f"{self.file.path}: id {number} has no size before it")
        sizes = [int(words[-2]) for words in lines]
        partners = without_crossings(pair([message.wire_octets() for message in mailbox.messages], sizes))
        return [None if partner is None else lines[partner][-1] for partner in partners]


def _parse(file: ListFile) -> _Lines:
    # latin-1: an id with other octets is found to be none later on; a name of a file is compared octet by octet.
    lines = [
        line.split() for line in file.data.decode("latin-1").split("\n") if line.strip() and not line.startswith("#")
    ]
    lengths = set(map(len, lines))
    if len(lengths) > 1 or not lengths <= {1, 2, 3}:
        raise ForeignIdsError(f"{file.path}: expected lines of one form: ID, SIZE ID, NUMBER SIZE ID or NAME ID")
    return lines


def _by_name(lines: _Lines, mailbox: OldMailbox) -> FoundIds:
    ids = {split_name(name)[0]: unique_id for name, unique_id in lines}
    return [ids.get(os.fsencode(message.base or "").decode("latin-1")) for message in mailbox.messages]
