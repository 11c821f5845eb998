"""A small site in a directory, with users of our own uid whose mailboxes are empty."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from spool.assign import Assignment, AssignRecord, format_assign, publish_assign
from spool.homes import location_of_kind, make_home, make_mailbox
from spool.mailbox import MailboxKind, MailboxLocation
from spool.names import DomainName, UserName
from spool.settings import SpoolSettings
from spool.site import Site


class MadeSite:
    """A site with the domains ``example.org`` and ``example.net``.

    Args:
        directory: of the site; the mail lies in it too.
        users: their names, and which kind of mailbox each has.
    """

    def __init__(self, directory: Path, users: Mapping[str, MailboxKind]) -> None:
        self.site = Site(directory)
        self.settings = SpoolSettings(root=directory / "mail", mbox_lock_seconds=0.2)
        self.settings.root.mkdir()
        self.site.control.mkdir()
        self.site.locals.write_text("example.org\nexample.net\n")
        self.site.passwd.write_text("")
        self.site.passwd.chmod(0o600)
        self.site.settings_file.write_text(f'[spool]\nroot = "{self.settings.root}"\nmbox_lock_seconds = 0.2\n')
        self.locations = {name: self._added(UserName(name), kind) for name, kind in users.items()}
        lines = [
            Assignment(name, AssignRecord(name, location.uid, location.gid, location.home))
            for name, location in self.locations.items()
        ]
        self.site.assign.write_bytes(format_assign(lines))
        publish_assign(lines, self.site.assign_compiled)

    def _added(self, user: UserName, kind: MailboxKind) -> MailboxLocation:
        uid, gid, home = os.getuid(), os.getgid(), self.settings.root / user.text
        make_home(home, uid=uid, gid=gid, root=self.settings.root)
        location = location_of_kind(kind, user, uid=uid, gid=gid, home=home, settings=self.settings)
        make_mailbox(location)
        return location

    def set(self, text: str) -> None:
        """Add lines to ``[spool]``, or whole tables behind it."""
        with self.site.settings_file.open("a") as file:
            file.write(f"{text}\n")

    def join(self, name: str, domain: str) -> None:
        """Let a user belong to this domain only."""
        with self.site.domains.open("a") as file:
            file.write(f"{UserName(name)}:{DomainName(domain)}\n")

    def location(self, name: str) -> MailboxLocation:
        """The mailbox of a user."""
        return self.locations[name]
