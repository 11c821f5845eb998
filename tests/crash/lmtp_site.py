"""A site whose LMTP service runs in this process, in one thread, so that it can be stopped and troubled anywhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import Logger

from delivery.agent import DeliveryAgent
from delivery.resolver import AddressResolver
from delivery.settings import DeliverySettings
from mta.server.callers import Callers
from mta.server.deliveries import LocalDeliveries, SiteDeliveries
from mta.server.factory import LmtpFactory
from mta.server.service import LmtpService
from mta.server.settings import LmtpSettings
from mta.server.turns import UserTurns
from serving.blocking import Bulkheads
from serving.limits import ConnectionLimits
from serving.settings import LimitsSettings
from serving.threads import Raised
from spool.assign import Assignment, AssignRecord, publish_assign
from spool.homes import locate_mailbox
from spool.mailboxes import open_mailbox
from spool.names import UserName
from spool.settings import SpoolSettings
from spool.site import Site
from tests.one_user import on_the_wire, read_all

USERS: Final = ("ann", "bob", "cat", "dan")
"""ann has a Maildir, bob one with a limit, cat an mbox, and dan's instructions name two Maildirs."""
SENDER: Final = "s@x"


class InlineThreads:
    """Threads whose functions are called at once, in the caller's."""

    def run(self, function: Callable[[], Any], done: Callable[[Any], None]) -> None:
        try:
            outcome = function()
        except Exception as error:
            outcome = Raised(error)
        done(outcome)


class LmtpSite:
    """The site, made anew in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "spool"
        self.settings = SpoolSettings(self.root, mbox_lock_seconds=0.5)
        self.site = Site(directory / "site")
        self.site.control.mkdir(parents=True)
        self.site.locals.write_text("a.org\n")
        self.site.quotas.write_text("bob:1M\n")
        records = [AssignRecord(user, os.geteuid(), os.getegid(), self.root / user) for user in USERS]
        publish_assign([Assignment(record.user, record) for record in records], self.site.assign_compiled)
        for user in USERS:
            self._make_home(self.root / user, "Mailbox" if user == "cat" else "Maildir")
        self._make_maildir(self.root / "dan" / "Other")
        (self.root / "dan" / ".qmail").write_text("./Maildir/\n./Other/\n")
        self.replies = directory / "replies"

    def _make_home(self, home: Path, mailbox: str) -> None:
        home.mkdir(mode=0o700, parents=True)
        if mailbox == "Mailbox":
            (home / mailbox).touch(mode=0o600)
        else:
            self._make_maildir(home / mailbox)

    @staticmethod
    def _make_maildir(place: Path) -> None:
        for part in ("", "tmp", "new", "cur"):
            (place / part).mkdir(mode=0o700)

    def connect(self) -> LmtpClient:
        """Start the service, and connect to it."""
        clock = Clock()
        bulkheads = Bulkheads(clock, LimitsSettings(), InlineThreads(), lambda _: None)
        resolver = AddressResolver(self.site, self.settings, DeliverySettings())
        agent = DeliveryAgent(self.site, self.settings, DeliverySettings(), has_own_uid=lambda _: False)
        local = LocalDeliveries(agent, UserTurns(bulkheads, lambda _: "/", clock))
        service = LmtpService(
            settings=LmtpSettings(),
            deliveries=SiteDeliveries(resolver.resolve, os.geteuid(), local, local),
            in_thread=_at_once,
            tls=None,
            clock=clock,
            log=Logger("lmtp"),
            callers=Callers(frozenset(), lambda _: os.geteuid()),
        )
        limits = ConnectionLimits(connections=10, per_address=10)
        return LmtpClient(service, LmtpFactory(service, admission=limits, host_name="mail.a.org"), self.replies)

    def messages(self, user: str) -> list[bytes]:
        """Return what a session of a user would show."""
        home = self.root / user
        location = locate_mailbox(UserName(user), uid=os.geteuid(), gid=os.getegid(), home=home, settings=self.settings)
        maildrop = open_mailbox(location, self.settings).open_maildrop()
        try:
            return [message.octets for message in read_all(maildrop)]
        finally:
            maildrop.close()

    def left_over(self) -> list[Path]:
        """Find the files that a delivery makes for itself and must remove."""
        return [
            path
            for path in self.root.rglob("*")
            if path.parent.name == "tmp" or path.suffix == ".new" or path.name == "Mailbox.lock" or path.match(".lk*")
        ]

    def remove_left_over(self) -> None:
        """Do what sweeping and the age of a lock would do in time."""
        for path in self.left_over():
            path.unlink()


class LmtpClient:
    """The client's side of a connection. What it was answered is in a file, too, whatever becomes of the process."""

    def __init__(self, service: LmtpService, factory: LmtpFactory, replies: Path) -> None:
        self.service = service
        self._transport = _Recording(replies)
        self._protocol = factory.buildProtocol(None)
        self._protocol.makeConnection(self._transport)  # type: ignore[no-untyped-call]

    def say(self, *lines: bytes) -> list[bytes]:
        """Send lines, and return what was answered."""
        before = len(self._transport.said)
        self._protocol.dataReceived(b"".join(line + b"\r\n" for line in lines))
        return b"".join(self._transport.said[before:]).splitlines()

    def send(self, body: bytes, *users: str) -> list[bytes]:
        """Send a message, and return the replies for its recipients; fewer if one was refused before it was sent."""
        self.say(b"LHLO c", f"MAIL FROM:<{SENDER}>".encode())
        accepted = [self.say(f"RCPT TO:<{user}@a.org>".encode())[-1] for user in users]
        if not any(reply.startswith(b"250") for reply in accepted):
            return accepted
        self.say(b"DATA")
        return self.say(*body.split(b"\n")[:-1], b".")


class _Recording(StringTransport):
    def __init__(self, replies: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.said: list[bytes] = []
        self._file = replies.open("ab", buffering=0)

    def write(self, data: bytes) -> None:
        self.said.append(data)
        self._file.write(data)


def _at_once(function: Callable[[], None]) -> Deferred[None]:
    function()
    return succeed(None)


def stored(body: bytes, user: str) -> bytes:
    """A message as a session shows it."""
    return on_the_wire(f"Return-Path: <{SENDER}>\nDelivered-To: {user}@a.org\n".encode() + body)
