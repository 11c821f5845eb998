"""Our quotas beside Dovecot's Maildir++ backend: both keep one ``maildirsize``, and each believes the other's lines."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from spool.errors import QuotaExceededError
from spool.mailbox import Envelope, Mailbox, MailboxLocation
from spool.mailboxes import open_mailbox, usage_keeper
from spool.quota.ledger import Ledger
from spool.quota.limits import Limit
from spool.settings import SpoolSettings
from tests.interop.live_site import open_directory, service_account
from tests.interop.needs import need, need_root
from tests.interop.peers import DOVECOT_LDA, PEER_SECONDS, Account
from tests.mailbox_locations import location_in

LIMIT: Final = Limit(100_000, 10)
MESSAGE: Final = b"From: a@example.org\nSubject: x\n\n" + b"y" * 400 + b"\n"
FULL: Final = 77  # EX_NOPERM: Dovecot's delivery agent, of a mailbox over its quota
_SETTINGS: Final = """\
mail_location = maildir:{maildir}
log_path = {directory}/log
base_dir = {directory}/run
state_dir = {directory}/state
first_valid_uid = 0
ssl = no
postmaster_address = postmaster@example.org
quota_full_tempfail = no
mail_plugins = quota
plugin {{
  quota = maildir:User quota
  quota_rule = *:bytes={limit.octets}:messages={limit.messages}
  quota_grace = 0
}}
"""


@dataclass(frozen=True)
class Shared:
    """A Maildir that both deliver to."""

    location: MailboxLocation
    directory: Path
    account: Account

    @property
    def ours(self) -> Mailbox:
        return open_mailbox(self.location, SpoolSettings(root=self.directory), limit=LIMIT)

    def deliver(self) -> None:
        self.ours.deliver([MESSAGE], Envelope("a@example.org"))

    def dovecot_delivers(self) -> int:
        """Let Dovecot deliver; its exit status."""
        settings = self.directory / "dovecot.conf"
        self._give_away()
        settings.write_text(_SETTINGS.format(maildir=self.location.path, directory=self.directory, limit=LIMIT))
        result = subprocess.run(
            (DOVECOT_LDA, "-c", str(settings), "-e", "-f", "a@example.org"),
            input=MESSAGE,
            env={"HOME": str(self.location.home), "USER": "recipient", "PATH": os.environ["PATH"]},
            capture_output=True,
            check=False,
            timeout=PEER_SECONDS,
            user=self.account.uid,
            group=self.account.gid,
            extra_groups=[],
        )
        assert result.returncode in {0, FULL}, result.stderr
        return result.returncode

    def _give_away(self) -> None:
        # Dovecot delivers as an account of its own; we are root and may do anything with what it leaves.
        for path in (self.location.home, *self.location.home.rglob("*")):
            os.chown(path, self.account.uid, self.account.gid)

    @property
    def figure(self) -> tuple[bytes, int, int]:
        tally = Ledger(self.location.path / "maildirsize").read()
        assert tally is not None
        return tally.definition, tally.octets, tally.messages

    @property
    def counted(self) -> tuple[bytes, int, int]:
        used = usage_keeper(self.location, SpoolSettings(root=self.directory), LIMIT).count()
        return LIMIT.definition, used.octets, used.messages


@pytest.fixture
def shared() -> Iterator[Shared]:
    need_root()
    need(Path(DOVECOT_LDA).exists(), DOVECOT_LDA)
    account = pwd.getpwnam(str(service_account()))
    with open_directory() as directory:
        log = directory / "log"
        log.touch()
        log.chmod(0o666)
        yield Shared(location_in(directory / "home"), directory, Account(account.pw_uid, account.pw_gid))


def test_dovecot_goes_on_with_our_figure_and_we_with_its(shared: Shared) -> None:
    shared.deliver()
    assert shared.dovecot_delivers() == 0
    shared.deliver()
    assert shared.dovecot_delivers() == 0
    maildrop = shared.ours.open_maildrop()
    maildrop.commit(deleted={1, 2}, retrieved={3})
    maildrop.close()
    assert shared.dovecot_delivers() == 0
    lines = (shared.location.path / "maildirsize").read_bytes().splitlines()
    assert len(lines) == 8  # the limit, what was there at first, and six changes: nobody has counted anew
    figure = shared.figure
    assert figure[2] == 3
    assert figure == shared.counted


def test_we_go_on_with_a_figure_that_dovecot_made(shared: Shared) -> None:
    assert shared.dovecot_delivers() == 0
    made = shared.figure
    shared.deliver()
    assert shared.figure == (LIMIT.definition, made[1] + len(MESSAGE), 2) == shared.counted


def test_both_say_that_a_mailbox_is_full(shared: Shared) -> None:
    for _ in range(9):
        shared.deliver()
    assert shared.dovecot_delivers() == 0
    assert shared.dovecot_delivers() == FULL
    with pytest.raises(QuotaExceededError):
        shared.deliver()
    maildrop = shared.ours.open_maildrop()
    maildrop.commit(deleted={1}, retrieved=set())
    maildrop.close()
    assert shared.dovecot_delivers() == 0
    with pytest.raises(QuotaExceededError):
        shared.deliver()
