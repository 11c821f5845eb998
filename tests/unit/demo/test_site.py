from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from accounts.apop_file import ApopFile
from demo.messages import sample_messages
from demo.site import PASSWORD, USERS, SampleSite, SampleUser
from spool.homes import locate_mailbox
from spool.mailbox import MailboxKind
from spool.mailboxes import open_mailbox
from spool.names import UserName
from spool.roster import Roster
from tools.site_check import check_site
from tools.site_settings import read_site_settings

ordinary_user = pytest.mark.skipif(not os.geteuid(), reason="needs an ordinary user: the service refuses uid 0")
FEW = (
    SampleUser("yasuhi-a", MailboxKind.MAILDIR, messages=4, seed=1),
    SampleUser("clerk", MailboxKind.MBOX, messages=3, seed=4, apop=True),
)


class InterruptionError(Exception):
    """Stops a build."""


@pytest.fixture
def sample(tmp_path: Path) -> SampleSite:
    return SampleSite(tmp_path / "demo", 11110, 11995, 11024, FEW)


def nothing() -> None:
    """Shows no progress."""


def test_the_demo_has_both_kinds_of_mailboxes_and_from_3_to_2000_messages() -> None:
    assert {user.kind for user in USERS} == set(MailboxKind)
    assert min(user.messages for user in USERS) == 3
    assert max(user.messages for user in USERS) == 2_000
    assert any(user.apop for user in USERS)


def test_where_nothing_was_built_the_site_is_not_whole(sample: SampleSite) -> None:
    assert not sample.is_whole()


@ordinary_user
def test_every_user_finds_the_sample_messages(sample: SampleSite) -> None:
    sample.build(nothing)
    settings = read_site_settings(sample.site).spool
    records = {user.text: record for user, record in Roster(sample.site, settings).users()}
    for user in FEW:
        record = records[user.name]
        location = locate_mailbox(
            UserName(user.name), uid=record.uid, gid=record.gid, home=record.home, settings=settings
        )
        maildrop = open_mailbox(location, settings).open_maildrop()
        try:
            assert location.kind is user.kind
            assert len(maildrop.wire_octets) == len(list(sample_messages(user.messages, seed=user.seed)))
        finally:
            maildrop.close()


@ordinary_user
def test_the_site_passes_its_own_check(sample: SampleSite) -> None:
    sample.build(nothing)
    assert check_site(sample.site).errors == ()


@ordinary_user
def test_one_user_has_an_apop_secret(sample: SampleSite) -> None:
    sample.build(nothing)
    assert ApopFile(sample.site.apop).secret(UserName("clerk")) == PASSWORD.encode()


@ordinary_user
def test_progress_is_told_once_a_message(sample: SampleSite) -> None:
    told: list[None] = []
    sample.build(lambda: told.append(None))
    assert len(told) == sample.messages == 7


@ordinary_user
def test_a_whole_site_is_whole_for_the_same_demo_only(sample: SampleSite) -> None:
    sample.build(nothing)
    assert sample.is_whole()
    assert not replace(sample, pop3_port=11111).is_whole()
    assert not replace(sample, users=FEW[:1]).is_whole()


@ordinary_user
def test_an_interrupted_build_is_not_whole_and_building_again_completes_it(sample: SampleSite) -> None:
    def interrupt() -> None:
        raise InterruptionError

    with pytest.raises(InterruptionError):
        sample.build(interrupt)
    assert not sample.is_whole()
    sample.build(nothing)
    assert sample.is_whole()


@ordinary_user
def test_building_anew_begins_with_no_mail_of_the_site_before(sample: SampleSite) -> None:
    sample.build(nothing)
    sample.build(nothing)
    maildrop = next(sample.site.directory.glob("spool/*/yasuhi-a/Maildir/new"))
    assert len(list(maildrop.iterdir())) == 4
