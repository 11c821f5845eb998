"""Old mailboxes made of nothing, for what only looks at them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spool.foreign_ids.old_mailbox import Head, OldMailbox, OldMessage
from spool.mailbox import MailboxKind
from spool.names import UserName

FROM = b"From a@example.org Wed May 20 09:00:00 1998\n"


def message(key: str, header: bytes | None = b"", *, size: int = 100, base: str | None = None) -> OldMessage:
    from_line = FROM if base is None else b""
    return OldMessage(key, base, lambda: size, lambda: Head(from_line, header))


def mbox(*headers: bytes | None, first_header: bytes | None = None) -> OldMailbox:
    messages = [message(f"key{number}", header) for number, header in enumerate(headers)]
    first = first_header if first_header is not None else next(filter(None, headers), b"")
    return OldMailbox(UserName("yasuhi"), Path("/mail/yasuhi"), MailboxKind.MBOX, messages, first)


def maildir(
    *bases: str, path: Path = Path("/mail/Maildir"), header: bytes = b"", sizes: Sequence[int] = ()
) -> OldMailbox:
    sizes = sizes or [100] * len(bases)
    messages = [message(base, header, base=base, size=size) for base, size in zip(bases, sizes, strict=True)]
    return OldMailbox(UserName("yasuhi"), path, MailboxKind.MAILDIR, messages, b"")
