"""What other mail programs do to a mailbox beside us: they add, remove and mark messages by the rules of the format."""

from __future__ import annotations

import mailbox
from pathlib import Path
from typing import Protocol


class ForeignProgram(Protocol):
    """A program that knows the format but not us.

    Messages are told by their place in the order of delivery, and for a Maildir by their base as well.
    """

    rewrites: bool
    """Whether removing and marking writes the mailbox anew, so that a session on it is over."""

    def add(self, message: bytes) -> None:
        """Deliver a message."""

    def remove(self, index: int, base: str) -> None:
        """Remove a message."""

    def mark(self, index: int, base: str) -> None:
        """Mark a message as read."""


class ForeignMaildir:
    """Adds as Python's ``mailbox`` does, and moves files as mail readers do."""

    rewrites = False

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, message: bytes) -> None:
        mailbox.Maildir(self._path, create=False).add(message)

    def remove(self, index: int, base: str) -> None:
        self._find(base).unlink()

    def mark(self, index: int, base: str) -> None:
        self._find(base).rename(self._path / "cur" / f"{base}:2,FS")

    def _find(self, base: str) -> Path:
        (path,) = (path for path in self._path.glob("*/*") if path.name.partition(":")[0] == base)
        return path


class ForeignMbox:
    """Python's ``mailbox``, which takes the dot-lock and fcntl, appends in place and otherwise renames a new file."""

    rewrites = True

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, message: bytes) -> None:
        box = self._locked()
        box.add(message)
        box.close()

    def remove(self, index: int, base: str) -> None:
        box = self._locked()
        box.remove(box.keys()[index])
        box.close()

    def mark(self, index: int, base: str) -> None:
        box = self._locked()
        key = box.keys()[index]
        # As octets: the email package would change the message's own.
        box[key] = box.get_bytes(key).replace(b"\n\n", b"\nStatus: RO\n\n", 1)
        box.close()

    def _locked(self) -> mailbox.mbox:
        box = mailbox.mbox(self._path)
        box.lock()
        return box
