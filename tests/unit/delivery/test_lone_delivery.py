"""Tests of ``delivery.lone_delivery``, on a site of one user whose uid is ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from delivery.environment import Recipient
from delivery.lone_delivery import LoneDelivery
from spool.errors import HomeUnavailableError
from tests.unit.delivery.homes import TestHome
from tests.unit.delivery.one_user import MESSAGE, OneUser


@pytest.fixture
def joe(home: TestHome, tmp_path: Path) -> OneUser:
    return OneUser(home, tmp_path / "site")


def test_the_process_becomes_the_recipient_before_their_home_is_opened(joe: OneUser, home: TestHome) -> None:
    became: list[str] = []
    away = home.root / "away"
    home.path.rename(away)

    def become(recipient: Recipient) -> None:
        became.append(recipient.user.text)
        away.rename(home.path)

    report = LoneDelivery(joe.resolver(), become, joe.agent()).deliver("joe", None, [MESSAGE])
    assert (report.mailboxes, became) == (1, ["joe"])
    assert home.mail() == [b"Return-Path: <>\nDelivered-To: joe@a.org\n" + MESSAGE]


def test_what_would_be_done_is_told_as_the_recipient(joe: OneUser, home: TestHome) -> None:
    became: list[Recipient] = []
    told = list(LoneDelivery(joe.resolver(), became.append, joe.agent()).explain("joe", None))
    assert (len(became), told[-1]) == (1, "into the maildrop")
    assert home.mail() == []


def test_who_cannot_become_the_recipient_delivers_nothing(joe: OneUser, home: TestHome) -> None:
    def refuse(recipient: Recipient) -> None:
        raise HomeUnavailableError(str(recipient.home))

    with pytest.raises(HomeUnavailableError):
        LoneDelivery(joe.resolver(), refuse, joe.agent()).deliver("joe", None, [MESSAGE])
    assert home.mail() == []
