"""Quota and expiry after a power cut: mail is as safe as without them, and no mailbox stays full by a wrong figure."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from spool.expiry import DAY_SECONDS, ExpiryRules, expire_mail
from spool.mailbox import MailboxKind
from spool.mailboxes import open_mailbox
from spool.maildir import MaildirMailbox
from spool.mbox.mailbox import MboxMailbox
from spool.progress import NoProgress
from spool.quota.limits import Limit
from spool.site_mailboxes import SiteMailboxes
from tests.crash.losing import Cut, each_power_cut
from tests.made_site import MadeSite
from tests.one_user import ENVELOPE, OneUser, numbered, on_the_wire, read_all

ROOM = Limit(None, 5)
MAIL = numbered(range(3))
NEW = b"Subject: new\n\nmail\n"
NOW = 2_000_000_000.0


@pytest.fixture
def original(tmp_path: Path, kind: MailboxKind) -> OneUser:
    user = OneUser(tmp_path / "original", kind, ROOM)
    user.deliver(*MAIL)
    user.messages()
    return user


def copied(user: OneUser, number: int) -> OneUser:
    home = user.home.with_name(str(number))
    shutil.copytree(user.home, home)
    return OneUser(home, user.kind, user.limit)


def power_cuts(user: OneUser, arrange: Callable[[OneUser], Callable[[], object]]) -> Iterator[Cut[OneUser]]:
    for cut in each_power_cut(partial(copied, user), arrange, root=lambda user: user.home, variants=4, step=2):
        yield cut
        shutil.rmtree(cut.state.home)


def test_a_delivery_under_a_limit_is_there_once_if_it_was_acknowledged(original: OneUser) -> None:
    before = original.messages()
    for cut in power_cuts(original, lambda user: partial(user.deliver, NEW)):
        messages = cut.state.messages()
        assert messages[: len(before)] == before, cut
        assert len(messages) <= len(before) + 1, cut
        if cut.completed:
            assert messages[-1].octets == on_the_wire(NEW), cut


def test_after_a_power_cut_a_mailbox_takes_what_it_has_room_for(original: OneUser) -> None:
    for cut in power_cuts(original, commit_first):
        user = cut.state
        room = 5 - len(user.messages())
        assert room >= 2, cut
        user.deliver(*[NEW] * room)
        assert len(user.messages()) == 5, cut


def commit_first(user: OneUser) -> Callable[[], object]:
    maildrop = user.mailbox.open_maildrop()
    return partial(maildrop.commit, deleted={1}, retrieved={2})


# -- expiry -----------------------------------------------------------------------------------------------------------

AGES_DAYS = (10, 40, 2)


def made(directory: Path, kind: MailboxKind, number: int) -> MadeSite:
    """A site whose user has an old message between two that are not."""
    (directory / str(number)).mkdir()
    made = MadeSite(directory / str(number), {"ann": kind})
    for age_days, message in zip(AGES_DAYS, MAIL, strict=True):
        arrived = NOW - age_days * DAY_SECONDS
        if kind is MailboxKind.MBOX:
            MboxMailbox(made.location("ann"), made.settings, now=partial(float, arrived)).deliver([message], ENVELOPE)
        else:
            place = MaildirMailbox(made.location("ann")).deliver([message], ENVELOPE).place
            os.utime(made.location("ann").path / "new" / place, (arrived, arrived))
    return made


def expire(made: MadeSite) -> Callable[[], object]:
    mailboxes = SiteMailboxes(made.site, made.settings, 100)
    return partial(expire_mail, mailboxes, ExpiryRules(30, None), now=NOW, progress=NoProgress())


def octets_of(made: MadeSite) -> list[bytes]:
    maildrop = open_mailbox(made.location("ann"), made.settings).open_maildrop()
    try:
        return [message.octets for message in read_all(maildrop)]
    finally:
        maildrop.close()


def test_expiry_removes_what_is_old_and_nothing_else_and_can_be_run_again(tmp_path: Path, kind: MailboxKind) -> None:
    everything = list(map(on_the_wire, MAIL))
    kept = [everything[0], everything[2]]
    for cut in each_power_cut(
        partial(made, tmp_path, kind), expire, root=lambda made: made.site.directory, variants=4, step=3
    ):
        found = octets_of(cut.state)
        assert found == kept or (found == everything and not cut.completed), cut
        expire(cut.state)()
        assert octets_of(cut.state) == kept, cut
        shutil.rmtree(cut.state.site.directory)
