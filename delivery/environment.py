"""The environment of a program that a delivery starts (qmail-command(8)).

Its values were written by strangers: they are data for whoever quotes them right, and no part of a command line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from delivery.headers import AddedLines
from spool.names import UserName

PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient, resolved.

    Attributes:
        local: the local part as it was given.
        domain: the domain as it was given.
        user: who controls the address.
        uid: the user's.
        gid: the user's group.
        home: where their instructions are.
        dash: of the assign record.
        extension: of the address, as it was given.
    """

    local: str
    domain: str
    user: UserName
    uid: int
    gid: int
    home: Path
    dash: str
    extension: str

    @property
    def address(self) -> str:
        """Local part and domain."""
        return f"{self.local}@{self.domain}"


def environment(
    recipient: Recipient,
    *,
    sender: str | None,
    new_sender: str | None,
    default: str | None,
    lines: AddedLines,
) -> Mapping[bytes, bytes]:
    """Make the whole environment: nothing of ours is passed on.

    Args:
        recipient: whose program it is.
        sender: the envelope sender, None for the null sender.
        new_sender: the sender of what is forwarded (``delivery.owners``).
        default: what ``default`` in the instruction file's name stands for, None if that name has none.
        lines: what a delivery adds.
    """
    host, extension = recipient.domain, recipient.extension
    texts = {
        "SENDER": sender or "",
        "NEWSENDER": new_sender or "",
        "RECIPIENT": recipient.address,
        "USER": recipient.user.text,
        "HOME": str(recipient.home),
        "HOST": host,
        "LOCAL": recipient.local,
        "EXT": extension,
        **{f"EXT{count}": _after(extension, count - 1) for count in (2, 3, 4)},
        **{f"HOST{count}": host.rsplit(".", count - 1)[0] for count in (2, 3, 4)},
        **({} if default is None else {"DEFAULT": default}),
    }
    octets = {name.encode(): _value(text.encode("utf-8", "surrogateescape")) for name, text in texts.items()}
    return octets | {
        b"DTLINE": lines.delivered_to,
        b"RPLINE": lines.return_path,
        b"UFLINE": lines.from_line,
    }


def own_variables(site: Path) -> Mapping[bytes, bytes]:
    """Make what every program is told in addition: where to find our own programs, and for which site they work."""
    programs = Path(sys.executable).parent
    return {b"MAILSPOOL_SITE": os.fsencode(site), b"PATH": f"{programs}:{PATH}".encode()}


def _after(extension: str, dashes: int) -> str:
    parts = extension.split("-", dashes)
    return parts[dashes] if len(parts) > dashes else ""


def _value(octets: bytes) -> bytes:
    return octets.replace(b"\0", b"_")  # it would end the value
