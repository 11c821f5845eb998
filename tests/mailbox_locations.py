"""Places for mailboxes under a temporary directory."""

from __future__ import annotations

import os
from pathlib import Path

from spool.mailbox import MailboxKind, MailboxLocation
from spool.names import UserName


def location_in(home: Path, kind: MailboxKind = MailboxKind.MAILDIR) -> MailboxLocation:
    """A mailbox of our own uid in ``home``, which is made if missing, as is the Maildir; an mbox need not exist."""
    home.mkdir(mode=0o700, exist_ok=True)
    path = home / ("Maildir" if kind is MailboxKind.MAILDIR else "Mailbox")
    if kind is MailboxKind.MAILDIR:
        for part in ("", "tmp", "new", "cur"):
            (path / part).mkdir(mode=0o700, exist_ok=True)
    return MailboxLocation(
        user=UserName("yasuhi"),
        uid=os.getuid(),
        gid=os.getgid(),
        home=home,
        path=path,
        kind=kind,
        state=home / ".mailspool",
        state_name=path.name.lower(),
    )
