"""What other mail programs do to a mailbox beside us: they add, remove and mark messages by the rules of the format."""

from __future__ import annotations

import fcntl
import mailbox
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain, permutations
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from spool.mailbox import MailboxKind, MailboxLocation
from spool.maildir.names import UniqueNames
from spool.wire import wire_pieces


class ForeignProgram(Protocol):
    """A program that knows the format but not us.

    Messages are told by their place in the order of delivery and by their octets as they are read.
    """

    rewrites: bool
    """Whether removing and marking writes the mailbox anew, so that a session on it is over."""
    manners: Sequence[str]
    """The ways in which it delivers; what the words mean is its own affair."""

    def add(self, message: bytes, manner: str) -> None:
        """Deliver a message."""

    def remove(self, index: int, wire: bytes) -> None:
        """Remove a message."""

    def mark(self, index: int, wire: bytes) -> None:
        """Mark a message as read."""


class ForeignMaildir:
    """Adds as Python's ``mailbox`` or qmail does, and moves files as mail readers do."""

    rewrites = False
    manners: Sequence[str] = ("mailbox", "qmail")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names = UniqueNames(host="elsewhere")

    def add(self, message: bytes, manner: str) -> None:
        if manner == "mailbox":
            mailbox.Maildir(self._path, create=False).add(message)
            return
        name = self._names.make()
        temporary = self._path / "tmp" / name
        temporary.write_bytes(message)
        (self._path / "new" / name).hardlink_to(temporary)
        temporary.unlink()

    def remove(self, index: int, wire: bytes) -> None:
        self._find(wire).unlink()

    def mark(self, index: int, wire: bytes) -> None:
        path = self._find(wire)
        path.rename(self._path / "cur" / f"{path.name.partition(':')[0]}:2,FS")

    def _find(self, wire: bytes) -> Path:
        files = (path for part in ("new", "cur") for path in (self._path / part).iterdir())
        (found,) = (path for path in files if b"".join(wire_pieces([path.read_bytes()])) == wire)
        return found


def _take_fcntl(file: BinaryIO, releases: ExitStack) -> None:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    releases.callback(fcntl.lockf, file, fcntl.LOCK_UN)


def _take_flock(file: BinaryIO, releases: ExitStack) -> None:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    releases.callback(fcntl.flock, file, fcntl.LOCK_UN)


def _take_dotlock(file: BinaryIO, releases: ExitStack) -> None:
    lock = Path(f"{file.name}.lock")
    lock.open("x").close()
    releases.callback(lock.unlink)


_LOCKS: Final[Mapping[str, Callable[[BinaryIO, ExitStack], None]]] = {
    "fcntl": _take_fcntl,
    "flock": _take_flock,
    "dotlock": _take_dotlock,
}


class ForeignMbox:
    """Python's ``mailbox``, which takes the dot-lock and fcntl, appends in place and otherwise renames a new file.

    Deliveries are by it, or by programs that take any of the locks in any order; each must be free, because nobody else
    is at work.
    """

    rewrites = True
    manners: Sequence[str] = (
        "mailbox",
        "",
        *map(" ".join, chain.from_iterable(permutations(_LOCKS, n) for n in (1, 2, 3))),
    )

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, message: bytes, manner: str) -> None:
        if manner == "mailbox":
            box = self._locked()
            box.add(message)
            box.close()
            return
        with self._path.open("ab") as file, ExitStack() as releases:
            for name in manner.split():
                _LOCKS[name](file, releases)
            file.write(b"From MAILER-DAEMON Tue Nov 24 12:00:00 2026\n" + message + b"\n")

    def remove(self, index: int, wire: bytes) -> None:
        box = self._locked()
        box.remove(box.keys()[index])
        box.close()

    def mark(self, index: int, wire: bytes) -> None:
        box = self._locked()
        key = box.keys()[index]
        # As octets: the email package would change the message's own.
        box[key] = box.get_bytes(key).replace(b"\n\n", b"\nStatus: RO\n\n", 1)
        box.close()

    def _locked(self) -> mailbox.mbox:
        box = mailbox.mbox(self._path)
        box.lock()
        return box


def foreign_program(location: MailboxLocation) -> ForeignProgram:
    """Return a program that knows the mailbox at a location."""
    return ForeignMaildir(location.path) if location.kind is MailboxKind.MAILDIR else ForeignMbox(location.path)
