"""A healthy site to be broken: made by the roster, used by deliveries and sessions; and a look at all of it."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from spool.checking.checker import Summary, Wanted, check_spool
from spool.checking.repairing import Told
from spool.checking.undoing import Undone, UndoneChange, undo_repair
from spool.file_systems import Mounts
from spool.mailbox import Envelope, Mailbox, MailboxKind
from spool.mailboxes import open_mailbox
from spool.names import DomainName, UserName
from spool.roster import NewUser, Roster
from spool.settings import SpoolSettings
from spool.site import Site

# Root may give homes away; others can only have their own.
UID: Final = os.getuid() or 1000
GID: Final = os.getgid() or 1000
OLD: Final = 1_000_000_000
"""A time long ago."""
ROOMY: Final = os.statvfs_result((4096, 4096, 1000, 900, 900, 1000, 900, 900, 0, 255))
_MOUNTS: Final = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"


@dataclass
class MadeSite:
    """A site in a directory with the users ann (Maildir) and bob (mbox), who have mail and have read some."""

    directory: Path
    changed_settings: dict[str, Any] = field(default_factory=dict)
    mounts: str = _MOUNTS
    room: os.statvfs_result = ROOMY

    @property
    def site(self) -> Site:
        return Site(self.directory / "site")

    @property
    def root(self) -> Path:
        return self.directory / "mail"

    @property
    def settings(self) -> SpoolSettings:
        values = {"home_link": str(self.directory / "links" / "{user}"), **self.changed_settings}
        return SpoolSettings(self.root, **values)

    @property
    def roster(self) -> Roster:
        return Roster(self.site, self.settings)

    def make(self) -> MadeSite:
        for directory in (self.directory, self.root, self.site.directory, self.site.control, self.directory / "links"):
            directory.mkdir(exist_ok=True)
            directory.chmod(0o755)
        self._write(self.site.assign, b".\n", 0o644)
        self._write(self.site.locals, b"example.org\nexample.net\n", 0o644)
        self._write(self.site.settings_file, b"", 0o644)
        for secret in (self.site.passwd, self.site.apop):
            self._write(secret, b"", 0o600)
        self.add("ann", domains=(DomainName("example.org"),))
        self.add("bob", kind=MailboxKind.MBOX)
        for name in ("ann", "bob"):
            for number in range(3):
                self.deliver(name, number)
            maildrop = self.mailbox(name).open_maildrop()
            maildrop.commit(deleted={1}, retrieved={2})
            maildrop.close()
        self.give_homes()
        return self

    def add(self, name: str, **values: Any) -> Path:
        new = NewUser(UserName(name), **{"uid": UID, "gid": GID, **values})
        return self.roster.add_user(new).location.home

    def home(self, name: str) -> Path:
        return self.roster.describe(UserName(name)).record.home

    def state_file(self, name: str, suffix: str) -> Path:
        location = self.mailbox(name).location
        return location.state / f"{location.state_name}{suffix}"

    def mailbox(self, name: str) -> Mailbox:
        location = self.roster.describe(UserName(name)).maildrop
        assert location is not None
        return open_mailbox(location, self.settings)

    def deliver(self, name: str, number: int = 0) -> None:
        message = f"Subject: message {number}\n\nbody of {number}\n".encode()
        self.mailbox(name).deliver([message], Envelope("sender@example.org"))

    def give_homes(self) -> None:
        """What root made in homes belongs to their users, as if they had made it."""
        if os.getuid() == 0:
            for path in self.root.rglob("*"):
                os.chown(path, UID, GID, follow_symlinks=False)

    def check(self, **wanted: Any) -> tuple[list[Told], Summary]:
        information = self.directory / "mountinfo"
        information.write_text(self.mounts)
        told: list[Told] = []
        summary = check_spool(
            self.site,
            self.settings,
            Wanted(**wanted),
            told.append,
            clock=time.time,
            statvfs=lambda _descriptor: self.room,
            mounts=Mounts(information, changed=lambda: True),
        )
        return told, summary

    def kinds(self, **wanted: Any) -> list[str]:
        return [each.finding.kind.name for each in self.check(**wanted)[0]]

    def undo(self, record: Path | None, *, dry_run: bool = False) -> list[UndoneChange]:
        assert record is not None
        undone: list[UndoneChange] = []
        counts = undo_repair(self.site, record, undone.append, dry_run=dry_run)
        assert sum(counts.values()) == len(undone)
        return undone

    def outcomes(self, record: Path | None) -> set[Undone]:
        return {each.outcome for each in self.undo(record)}

    def everything(self) -> dict[str, tuple[object, ...]]:
        """All there is but locks and what repair keeps: type, mode, owner, and content or target."""
        return dict(self._entries())

    def _entries(self) -> Iterator[tuple[str, tuple[object, ...]]]:
        for path in sorted(self.directory.rglob("*")):
            name = str(path.relative_to(self.directory))
            if (
                name.startswith("site/maintenance")
                or name == "mountinfo"
                or (path.name.endswith(".lock") and path.parent.name == ".mailspool")
            ):
                continue
            try:
                status = path.lstat()
            except PermissionError:
                continue
            content: object = None
            if stat.S_ISLNK(status.st_mode):
                content = path.readlink()
            elif stat.S_ISREG(status.st_mode) and os.access(path, os.R_OK):
                # Reading must not make a file look used.
                with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOATIME), "rb") as file:
                    content = file.read()
            yield name, (status.st_mode, status.st_uid, status.st_gid, content)

    @staticmethod
    def _write(path: Path, content: bytes, mode: int) -> None:
        path.write_bytes(content)
        path.chmod(mode)


def age(path: Path) -> None:
    """Let a file look as if nobody had touched it for years."""
    os.utime(path, (OLD, OLD), follow_symlinks=False)
