"""Ids that follow from the message itself, by the formulas of servers that kept no list.

Each function takes the mailbox as it is and returns the id of each message, None where the server had none that we
could tell. The formulas were found by asking the servers, or are in their documents;
``tests/interop/test_migration.py`` asks those that can be installed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Final

from spool.foreign_ids.header import Line, first_value, lines_of
from spool.foreign_ids.old_mailbox import FoundIds, Head, OldMailbox

_X_UIDL: Final = b"x-uidl"
_QPOPPER_FIELDS: Final = frozenset({b"received", b"date", b"message-id", b"subject"})
_QPOPPER_LINE_OCTETS: Final = 1023  # what it reads at once; the rest of a longer line is to it a line of its own
_QPOPPER_DIGITS: Final = 80
_POPA3D_ALWAYS: Final = frozenset({b"delivered-to", b"x-delivery-id"})
_POPA3D_BEFORE_RECEIVED: Final = frozenset({b"date", b"message-id"})
_IMAP_STATE: Final = re.compile(rb"(\d{1,10})[ \t]+(\d{1,10})(?:[ \t].*)?", re.DOTALL)
_UID: Final = re.compile(rb"\d{1,10}")


def base_names(mailbox: OldMailbox) -> FoundIds:
    """qmail-pop3d's: the file name up to the colon, whatever it holds."""
    return [message.base for message in mailbox.messages]


def x_uidl(mailbox: OldMailbox) -> FoundIds:
    """What the first X-UIDL field says; servers of several kinds put it there or could be told to believe it."""
    return [_x_uidl(message.head()) for message in mailbox.messages]


def qpopper(mailbox: OldMailbox) -> FoundIds:
    """Qpopper's since 3.0: the X-UIDL field that it wrote, else its digest in 20 digits of base 80."""
    return [_qpopper(message.head(), _base_80, from_lines=2) for message in mailbox.messages]


def qpopper_old_style(mailbox: OldMailbox) -> FoundIds:
    """Qpopper's before 3.0, and later with ``old-style-uid``: X-UIDL, else its digest in hexadecimal."""
    return [_qpopper(message.head(), bytes.hex, from_lines=1) for message in mailbox.messages]


def popa3d(mailbox: OldMailbox) -> FoundIds:
    """popa3d's: half of an MD5 digest over header lines, its two words as a little-endian machine prints them."""
    return [_popa3d(message.head().header) for message in mailbox.messages]


def uw_ipop3d(mailbox: OldMailbox) -> FoundIds:
    """UW ipop3d's: eight hexadecimal digits each of the mailbox's UID validity and of the message's UID."""
    validity, uids = imap_uids(mailbox)
    return [None if uid is None else f"{validity:08x}{uid:08x}" for uid in uids]


def imap_uids(mailbox: OldMailbox) -> tuple[int | None, Sequence[int | None]]:
    """Tell the UID validity of an mbox and the UID of each message, from the fields in which IMAP servers keep them.

    Senders can write such fields too. As those servers do, only UIDs that ascend and are not above the last one that
    was given are believed; without a validity none is.
    """
    state = first_value(mailbox.first_header, b"x-imapbase") or first_value(mailbox.first_header, b"x-imap")
    found = None if state is None else _IMAP_STATE.fullmatch(state)
    if found is None or not int(found[1]):
        return None, [None] * len(mailbox.messages)
    previous, last = 0, int(found[2])
    uids: list[int | None] = []
    for message in mailbox.messages:
        text = first_value(message.head().header or b"", b"x-uid") or b""
        uid = int(text) if _UID.fullmatch(text) else 0
        if previous < uid <= last:
            previous = uid
            uids.append(uid)
        else:
            uids.append(None)
    return int(found[1]), uids


def header_md5(header: bytes) -> str:
    """Dovecot's ``%m`` (``mbox_md5 = apop3d``): like popa3d's, but over the values alone, and all of the digest."""
    return hashlib.md5(b"".join(line.value for line in _identifying(header)), usedforsecurity=False).hexdigest()


def _identifying(header: bytes) -> list[Line]:
    lines = []
    received = 0
    for line in lines_of(header):
        if line.name == b"received":
            received += not line.continued
            wanted = received == 1
        else:
            wanted = line.name in _POPA3D_ALWAYS or (not received and line.name in _POPA3D_BEFORE_RECEIVED)
        if wanted:
            lines.append(line)
    return lines


def _popa3d(header: bytes | None) -> str | None:
    if header is None:
        return None
    digest = hashlib.md5(b"".join(line.octets for line in _identifying(header)), usedforsecurity=False).digest()
    return (digest[3::-1] + digest[7:3:-1]).hex()


def _x_uidl(head: Head) -> str | None:
    value = first_value(head.header or b"", _X_UIDL)
    return None if value is None else value.decode("latin-1")


def _qpopper(head: Head, encode: Callable[[bytes], str], *, from_lines: int) -> str | None:
    if head.header is None or (unique_id := _x_uidl(head)):
        return unique_id if head.header is not None else None
    if not head.from_line:
        return None  # a Maildir: qpopper had none
    digest = hashlib.md5(head.from_line[:_QPOPPER_LINE_OCTETS], usedforsecurity=False)
    for line in lines_of(head.header):
        if line.name in _QPOPPER_FIELDS and not line.continued:
            digest.update(line.octets[:_QPOPPER_LINE_OCTETS])
    if from_lines == 2:
        digest.update(head.from_line[:_QPOPPER_LINE_OCTETS])
    return encode(digest.digest())


def _base_80(digest: bytes) -> str:
    # Four octets at a time run into each other, and make five digits, the lowest first; "." is avoided.
    digits = ""
    for start in range(0, len(digest), 4):
        value = 0
        for octet in digest[start : start + 4]:
            value = (value << 4) + octet
        for _ in range(5):
            value, digit = divmod(value, _QPOPPER_DIGITS)
            digits += chr(0x21 + digit)
    return digits.replace(".", "~")
