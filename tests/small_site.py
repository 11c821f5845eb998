"""A site without a service, for what works on many of its mailboxes."""

from __future__ import annotations

import os
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from spool.assign import publish_assign, read_assign
from spool.assign_directory import AssignDirectory
from spool.homes import locate_mailbox, location_of_kind, make_home, make_mailbox
from spool.layouts import layout_named
from spool.mailbox import Delivered, Mailbox, MailboxKind, MailboxLocation
from spool.mailboxes import open_mailbox
from spool.names import UserName
from spool.settings import SpoolSettings
from spool.site import Site
from tests.one_user import ENVELOPE, Message, read_all

TEMPLATES = ("{home}/Maildir/", "{home}/Mailbox")


@dataclass(frozen=True)
class SmallSite:
    """A site of our own uid below ``directory``; the same one when it is made again."""

    directory: Path
    templates: tuple[str, ...] = TEMPLATES
    lock_seconds: float = 0.5  # no patience, so that a deadlock shows
    unquote: bool = True

    @property
    def site(self) -> Site:
        return Site(self.directory)

    @property
    def settings(self) -> SpoolSettings:
        return SpoolSettings(
            root=self.directory / "mail",
            maildrop=self.templates,
            mbox_lock_seconds=self.lock_seconds,
            mbox_unquote=self.unquote,
        )

    def make(self) -> SmallSite:
        """Make it, without users."""
        for directory in (self.directory, self.directory / "mail", self.directory / "control"):
            directory.mkdir(exist_ok=True)
        (self.directory / "control" / "locals").write_text("example.org\nexample.net\n")
        (self.directory / "control" / "assign").write_text(".\n")
        return self

    def add(self, name: str, kind: MailboxKind | None = None) -> SmallSite:
        """Add a user of our own uid, which may be root's."""
        user, owner = UserName(name), {"uid": os.getuid(), "gid": os.getgid()}
        home = layout_named(self.settings.layout).path(self.settings.root, user)
        make_home(home, **owner, root=self.settings.root)
        make_mailbox(location_of_kind(kind, user, **owner, home=home, settings=self.settings))
        lines = self.site.assign.read_text().removesuffix(".\n")
        self.site.assign.write_text(f"{lines}={name}:{name}:{os.getuid()}:{os.getgid()}:{home}:::\n.\n")
        publish_assign(read_assign(self.site.assign), self.site.assign_compiled)
        return self

    def location(self, name: str) -> MailboxLocation:
        record = AssignDirectory(self.site.assign_compiled).user(UserName(name))
        return locate_mailbox(UserName(name), uid=record.uid, gid=record.gid, home=record.home, settings=self.settings)

    def mailbox(self, name: str) -> Mailbox:
        return open_mailbox(self.location(name), self.settings)

    def deliver(self, name: str, *messages: bytes) -> list[Delivered]:
        return [self.mailbox(name).deliver([message], ENVELOPE) for message in messages]

    def messages(self, name: str) -> list[Message]:
        """All messages of a user, read in a session that changes nothing."""
        maildrop = self.mailbox(name).open_maildrop()
        try:
            return read_all(maildrop)
        finally:
            maildrop.close()

    def octets(self, name: str) -> list[bytes]:
        return [message.octets for message in self.messages(name)]

    def last_accessed(self, name: str) -> int:
        maildrop = self.mailbox(name).open_maildrop()
        try:
            return maildrop.last_accessed
        finally:
            maildrop.close()

    def session(
        self, name: str, *, deleted: AbstractSet[int] = frozenset(), retrieved: AbstractSet[int] = frozenset()
    ) -> None:
        """A session that ends with QUIT."""
        maildrop = self.mailbox(name).open_maildrop()
        try:
            maildrop.commit(deleted=deleted, retrieved=retrieved)
        finally:
            maildrop.close()
