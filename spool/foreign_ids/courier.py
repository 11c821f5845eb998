"""Courier's ids, from the ``courierpop3dsizelist`` in the Maildir.

Its first line is ``/<version> <next uid> [<uidvalidity>]``; then for each message, by version,

    1   <file name> <size> <uid>
    2   <file name> <size> <uid>:<uidvalidity>
    3   <file name> <size> <uid>:<uidvalidity>:<whether it needs UTF8>

A list without that first line is of version 0 and tells sizes alone. A message has the id ``UID<uid>-<uidvalidity>``,
or ``UID<uid>`` if the validity is 0 or missing; if the uid is, too, its file name up to the colon, with what is not
printable, quotes and the plus sign as ``+HH``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from spool.errors import ForeignIdsError
from spool.foreign_ids.old_mailbox import FoundIds, OldMailbox
from spool.foreign_ids.user_files import ListFile, read_list
from spool.mailbox import MailboxKind
from spool.maildir.names import split_name

LIST_NAME: Final = "courierpop3dsizelist"

_HEADER: Final = re.compile(rb"/([1-3]) [0-9]{1,20}(?: [0-9]{1,20})?\n")
_LINE: Final = re.compile(rb"^([^\n]+) [0-9]{1,20} ([0-9]{1,20})(?::([0-9]{1,20}))?(?::[01])?$", re.MULTILINE)
_LINE_OF_0: Final = re.compile(rb"^([^/\n][^\n]*) [0-9]{1,20}()()$", re.MULTILINE)
_ESCAPED: Final = re.compile(rb"[^!-~]|['\"+]")


def parse_sizelist(file: ListFile) -> Mapping[str, str]:
    """Return the ids by file name up to the colon. Lines that do not fit are passed over.

    Raises:
        ForeignIdsError: the list is of another version.
    """
    header = _HEADER.match(file.data)
    if header is None and file.data.startswith(b"/"):
        raise ForeignIdsError(f"{file.path}: not a {LIST_NAME} of version 0 to 3")
    ids = {}
    lines = _LINE.findall(file.data, header.end()) if header else _LINE_OF_0.findall(file.data)
    for name, uid, validity in lines:
        base = split_name(os.fsdecode(name))[0]
        if not int(uid or 0):
            ids[base] = _ESCAPED.sub(lambda found: b"+%02X" % found[0][0], os.fsencode(base)).decode("ascii")
        elif int(validity or 0):
            ids[base] = f"UID{int(uid)}-{int(validity)}"
        else:
            ids[base] = f"UID{int(uid)}"
    return ids


@dataclass(frozen=True, slots=True)
class CourierIds:
    """Finds Courier's ids; ``file`` is its list, None for that in the Maildir."""

    file: ListFile | None

    def __call__(self, mailbox: OldMailbox) -> FoundIds:
        """Find the ids.

        Raises:
            ForeignIdsError: the list is missing, or is none, or the mailbox is no Maildir.
        """
        if mailbox.kind is not MailboxKind.MAILDIR:
            raise ForeignIdsError("Courier serves Maildirs only")
        ids = parse_sizelist(self.file or read_list(mailbox.path / LIST_NAME))
        return [ids.get(message.base or "") for message in mailbox.messages]
