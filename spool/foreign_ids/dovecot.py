"""Dovecot's ids: made by a format of facts that it keeps in ``dovecot-uidlist``, or in the header fields of an mbox.

``dovecot-uidlist`` of version 3: ``3 V<uidvalidity> N<next uid> G<guid> …``, then for each message ``<uid>
[<letter><value> …] :<file name>``; the letter P tells an id that replaces the format's (without a value: the file
name), G a GUID that is not the file name. Version 1: ``1 <uidvalidity> <next uid>`` and ``<uid> <file name>``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from spool.errors import ForeignIdsError
from spool.foreign_ids.dovecot_format import Facts, UidlFormat
from spool.foreign_ids.formulas import header_md5, imap_uids
from spool.foreign_ids.old_mailbox import FoundIds, OldMailbox
from spool.foreign_ids.user_files import ListFile, read_list
from spool.mailbox import MailboxKind
from spool.maildir.names import split_name

LIST_NAME: Final = "dovecot-uidlist"

_HEADER: Final = re.compile(rb"3 (?:[^\n]* )?V([0-9]{1,10})(?: [^\n]*)?\n|1 ([0-9]{1,10}) [0-9]{1,10}\n")
_LINE: Final = re.compile(rb"^([0-9]{1,10}) +((?:[A-Za-z][^ \n]* +)*):([^\n]+)$", re.MULTILINE)
_LINE_OF_1: Final = re.compile(rb"^([0-9]{1,10})( +)([^\n]+)$", re.MULTILINE)


class Listed(NamedTuple):
    """What the list tells of one message. ``pop3_uidl`` replaces what the format would make."""

    uid: str
    pop3_uidl: str | None
    guid: str | None


def parse_uidlist(file: ListFile) -> tuple[str, Mapping[str, Listed]]:
    """Return the UID validity and what is listed, by file name up to the colon. Lines that do not fit are passed over.

    Raises:
        ForeignIdsError: it does not begin as such a list does.
    """
    header = _HEADER.match(file.data)
    if header is None:
        raise ForeignIdsError(f"{file.path}: not a {LIST_NAME} of version 3 or 1")
    listed = {}
    for uid, fields, name in (_LINE if header[1] else _LINE_OF_1).findall(file.data, header.end()):
        base = split_name(os.fsdecode(name))[0]
        values = {field[:1]: os.fsdecode(field[1:]) for field in fields.split()}
        pop3_uidl = values.get(b"P")
        listed[base] = Listed(str(int(uid)), base if pop3_uidl == "" else pop3_uidl, values.get(b"G") or None)
    return str(int(header[1] or header[2])), listed


@dataclass(frozen=True, slots=True)
class DovecotIds:
    """Finds Dovecot's ids.

    Attributes:
        format: its ``pop3_uidl_format``.
        file: its list, None for that in the Maildir.
    """

    format: UidlFormat
    file: ListFile | None

    def __call__(self, mailbox: OldMailbox) -> FoundIds:
        """Find the ids.

        Raises:
            ForeignIdsError: a Maildir's list is missing, or is none.
        """
        return self._of_maildir(mailbox) if mailbox.kind is MailboxKind.MAILDIR else self._of_mbox(mailbox)

    def _of_maildir(self, mailbox: OldMailbox) -> FoundIds:
        validity, listed = parse_uidlist(self.file or read_list(mailbox.path / LIST_NAME))
        ids: list[str | None] = []
        for message in mailbox.messages:
            base = message.base or ""
            entry = listed.get(base)
            if entry is None:
                ids.append(None)  # it came when Dovecot looked no more
            elif entry.pop3_uidl is not None:
                ids.append(entry.pop3_uidl)
            else:
                ids.append(self.format.show(Facts(entry.uid, validity, base, entry.guid or base)))
        return ids

    def _of_mbox(self, mailbox: OldMailbox) -> FoundIds:
        validity, uids = imap_uids(mailbox)
        ids = []
        for message, uid in zip(mailbox.messages, uids, strict=True):
            header = message.head().header if "md5" in self.format.variables else None
            ids.append(
                self.format.show(
                    Facts(
                        uid=None if uid is None else str(uid),
                        uidvalidity=None if validity is None else str(validity),
                        md5=None if header is None else header_md5(header),
                    )
                )
            )
        return ids
