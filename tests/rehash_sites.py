"""A small site whose homes are moved about, and what everybody must find in it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spool.assign import (
    Assignment,
    AssignRecord,
    Wildcard,
    format_assign,
    publish_assign,
    read_assign,
)
from spool.assign_directory import AssignDirectory
from spool.homes import locate_mailbox, location_of_kind, make_home, make_mailbox
from spool.layouts import layout_named
from spool.mailbox import Mailbox, MailboxKind
from spool.mailboxes import open_mailbox
from spool.names import UserName
from spool.progress import NoProgress
from spool.rehash.directories import DeviceOf, device_of
from spool.rehash.planning import Wanted
from spool.rehash.rehash import Means, Report, run, undo
from spool.rehash.settings import RehashSettings
from spool.roster import Roster
from spool.settings import SpoolSettings
from spool.settings_file import read_settings_file, table_to
from spool.site import Site
from tests.one_user import ENVELOPE, Message, read_all

UID, GID = os.getuid(), os.getgid()
INBOXES = ("{home}/Maildir/", "{home}/Mailbox")


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class RehashSite:
    """A site below a directory. Made anew by ``make``; another object of the same directory is the same site."""

    directory: Path
    maildrop: tuple[str, ...] = INBOXES
    device_of: DeviceOf = device_of
    batch: int = 100
    clock: Clock = field(default_factory=Clock)

    @property
    def root(self) -> Path:
        return self.directory / "mail"

    @property
    def site(self) -> Site:
        return Site(self.directory / "site")

    @property
    def settings(self) -> SpoolSettings:
        """As the file has them now."""
        file = self.site.settings_file
        return table_to(SpoolSettings, read_settings_file(file)["spool"], file=file, section="spool")

    @property
    def roster(self) -> Roster:
        return Roster(self.site, self.settings)

    @property
    def means(self) -> Means:
        return Means(
            RehashSettings(),
            uid_min=0,
            batch=self.batch,
            device_of=self.device_of,
            clock=self.clock,
            monotonic=self.clock,
            sleep=self.clock.sleep,
        )

    def make(self, layout: str = "letter", **spool: str) -> RehashSite:
        """Make the site, without users."""
        self.root.mkdir(parents=True)
        self.site.control.mkdir(parents=True)
        self.site.assign.write_bytes(b".\n")
        self.site.locals.write_text("example.org\nexample.net\n")
        keys = {"root": str(self.root), "layout": layout, **spool}
        lines = [f'{key} = "{value}"' for key, value in keys.items()]
        maildrop = ", ".join(f'"{text}"' for text in self.maildrop)
        text = "\n".join(["# ours", "[spool]", *lines, f"maildrop = [{maildrop}]", "mbox_lock_seconds = 0.2", ""])
        self.site.settings_file.write_text(text)
        return self

    def add(self, *names: str, kind: MailboxKind | None = None, home: Path | None = None) -> None:
        """Add users of our own uid, which the roster refuses for root."""
        settings = self.settings
        lines = list(read_assign(self.site.assign))
        for name in names:
            user = UserName(name)
            place = home or layout_named(settings.layout).path(self.root, user)
            make_home(place, uid=UID, gid=GID, root=self.root)
            make_mailbox(location_of_kind(kind, user, uid=UID, gid=GID, home=place, settings=settings))
            lines.append(Assignment(name, AssignRecord(name, UID, GID, place)))
            lines.append(Wildcard(f"{name}-", AssignRecord(name, UID, GID, place, dash="-")))
            if settings.home_link is not None:
                Path(settings.home_link.format(user=name)).symlink_to(place)
        self.site.assign.write_bytes(format_assign(lines))
        publish_assign(lines, self.site.assign_compiled)

    # -- mail ---------------------------------------------------------------------------------------------------------

    def record(self, name: str) -> AssignRecord:
        return AssignDirectory(self.site.assign_compiled).user(UserName(name))

    def records(self) -> Mapping[str, AssignRecord]:
        return {str(user): record for user, record in AssignDirectory(self.site.assign_compiled).users()}

    def mailbox(self, name: str, home: Path | None = None) -> Mailbox:
        """The mailbox as who has looked its home up would open it; ``home`` if that was a while ago."""
        home = home or self.record(name).home
        settings = self.settings
        return open_mailbox(locate_mailbox(UserName(name), uid=UID, gid=GID, home=home, settings=settings), settings)

    def deliver(self, name: str, *texts: str, home: Path | None = None) -> None:
        for text in texts:
            self.mailbox(name, home).deliver([f"Subject: {text}\n\n{text}\n".encode()], ENVELOPE)

    def messages(self, name: str, home: Path | None = None) -> list[Message]:
        maildrop = self.mailbox(name, home).open_maildrop(share=True)
        try:
            return read_all(maildrop)
        finally:
            maildrop.close()

    def all_messages(self) -> Mapping[str, list[Message]]:
        return {name: self.messages(name) for name in self.records()}

    # -- moving -------------------------------------------------------------------------------------------------------

    def run(self, to: str, users: Iterable[str] = (), **options: Any) -> Report:
        wanted = Wanted(to, frozenset(map(UserName, users)))
        return run(self.site, self.settings, wanted, self.means, NoProgress(), **options)

    def undo(self, *users: str) -> Report:
        names = frozenset(map(UserName, users)) if users else None
        return undo(self.site, self.settings, names, self.means, NoProgress())

    def links(self) -> list[Path]:
        """All links below the root: none is left when all is done."""
        return [path for path in self.root.rglob("*") if path.is_symlink()]


def disk_of(root: Path) -> DeviceOf:
    """Two disks: what lies below directories of the root from ``n`` to ``z`` is on the second."""

    def device(directory: str) -> int:
        parts = Path(directory).relative_to(root).parts if Path(directory).is_relative_to(root) else ()
        return 2 if parts and parts[0][0] >= "n" else 1

    return device
