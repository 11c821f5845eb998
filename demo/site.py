"""Builds the sample site: users of both kinds, from 3 messages to 2,000, delivered as real mail is."""

from __future__ import annotations

import json
import os
import pwd
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from accounts.administration import Administration
from accounts.credentials import Credentials
from demo.messages import sample_messages
from spool import durable
from spool.errors import SettingsError
from spool.mailbox import Envelope, MailboxKind
from spool.mailboxes import open_mailbox
from spool.names import UserName
from spool.roster import NewUser, Roster
from spool.site import Site
from tools.site_making import NewSite, make_site

PASSWORD: Final = "demo"  # noqa: S105 - it is printed on the screen
SENDER: Final = "postmaster@example.ac.jp"
_FORM: Final = 1  # changes when sites built before must be built anew
# Else clients that know USER and PASS only could not read the user with an APOP secret.
_SETTINGS: Final = ("auth.apop_only=false",)


@dataclass(frozen=True, slots=True)
class SampleUser:
    """One user and what is delivered to them; ``seed`` chooses the messages."""

    name: str
    kind: MailboxKind
    messages: int
    seed: int
    apop: bool = False


USERS: Final[Sequence[SampleUser]] = (
    SampleUser("yasuhi-a", MailboxKind.MAILDIR, messages=40, seed=1),
    SampleUser("k-chinnen", MailboxKind.MBOX, messages=25, seed=2),
    SampleUser("hiro", MailboxKind.MAILDIR, messages=2_000, seed=3),
    SampleUser("clerk", MailboxKind.MBOX, messages=3, seed=4, apop=True),
)


@dataclass(frozen=True, slots=True)
class SampleSite:
    """What is to be built: below ``directory`` a site ``site``, and a file ``whole`` once it is whole."""

    directory: Path
    pop3_port: int
    pop3s_port: int
    lmtp_port: int
    users: Sequence[SampleUser] = USERS

    @property
    def site(self) -> Site:
        """The site."""
        return Site(self.directory / "site")

    @property
    def messages(self) -> int:
        """How many messages there are in all."""
        return sum(user.messages for user in self.users)

    def is_whole(self) -> bool:
        """Whether exactly this site was built here, by this account, to its end."""
        try:
            return self._mark.read_bytes() == self._description()
        except FileNotFoundError:
            return False

    def build(self, advance: Callable[[], None]) -> None:
        """Build it, in the place of whatever was built here before.

        Holds when it returns. Whatever ends it before leaves something that ``is_whole`` does not take for a site.

        Args:
            advance: called after each message.

        Raises:
            SpoolError: something could not be made.
        """
        with durable.storage_errors(self.directory):
            self.directory.mkdir(parents=True, exist_ok=True)
            durable.remove(self._mark)
            durable.sync_directory(self.directory)
            if self.site.directory.exists():
                shutil.rmtree(self.site.directory)
        self._fill(advance)
        with durable.storage_errors(self._mark):
            durable.replace_file(self._mark, [self._description()])

    @property
    def _mark(self) -> Path:
        return self.directory / "whole"

    def _description(self) -> bytes:
        """What the site depends on. Its own path is in its settings and its assignments."""
        what = {
            "form": _FORM,
            "site": str(self.site.directory),
            "uid": os.geteuid(),
            "ports": [self.pop3_port, self.pop3s_port, self.lmtp_port],
            "users": [asdict(user) | {"kind": user.kind.value} for user in self.users],
        }
        return json.dumps(what, indent=1).encode() + b"\n"

    def _fill(self, advance: Callable[[], None]) -> None:
        account = _own_account()
        settings = make_site(
            NewSite(
                directory=self.site.directory,
                listeners=(
                    f"pop3=127.0.0.1:{self.pop3_port}",
                    f"pop3s=127.0.0.1:{self.pop3s_port}",
                    f"lmtp=127.0.0.1:{self.lmtp_port}",
                ),
                overrides=_SETTINGS,
            )
        )
        roster = Roster(self.site, settings.spool)
        administration = Administration(roster, Credentials.in_directory(self.site.control), settings.auth.schemes)
        for user in self.users:
            new = NewUser(UserName(user.name), account.pw_uid, account.pw_gid, kind=user.kind)
            added = administration.add_user(new, PASSWORD.encode(), apop=user.apop)
            mailbox = open_mailbox(added.location, settings.spool)
            envelope = Envelope(SENDER, user.name)
            for message in sample_messages(user.messages, seed=user.seed):
                mailbox.deliver([message], envelope)
                advance()


def _own_account() -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(os.geteuid())
    except KeyError:
        raise SettingsError(f"uid {os.geteuid()} has no account; run the demo as a user that has one") from None
