"""Settings of the spool: the ``[spool]`` table of ``mailspool.toml``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    """Where mailboxes lie and how they are locked.

    ``maildrop`` is an ordered list of templates with ``{home}``, ``{user}``, ``{hash}`` (the layout's directory part);
    a trailing slash means Maildir. The first that exists in an existing home is the mailbox; the last one, if an mbox,
    need not exist yet. ``mbox_locks`` are taken in this order (``fcntl``, ``flock``, ``dotlock``).
    """

    root: Path
    layout: str = "letter"
    maildrop: tuple[str, ...] = ("{home}/Maildir/", "{home}/Mailbox")
    home_link: str | None = None
    dotlock_group: str | None = None
    mbox_locks: tuple[str, ...] = ("fcntl", "dotlock")
    mbox_lock_seconds: float = 30.0
    mbox_dotlock_stale_seconds: float = 300.0
    mbox_unquote: bool = False
    break_character: str = "-"
