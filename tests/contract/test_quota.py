"""A mailbox with a limit: the figure is right after whatever was done to it, and a full one takes mail after a QUIT."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spool.errors import QuotaExceededError
from spool.mailboxes import usage_keeper
from spool.quota.limits import Limit
from spool.settings import SpoolSettings
from tests.one_user import OneUser, numbered, on_the_wire

THREE = Limit(None, 3)


@pytest.fixture
def limit() -> Limit:
    return THREE


def figure(user: OneUser) -> tuple[int, int]:
    octets, messages, _ = usage_keeper(user.location, SpoolSettings(root=user.home.parent), THREE).look()
    return octets, messages


def counted(user: OneUser) -> tuple[int, int]:
    octets, messages, _ = usage_keeper(user.location, SpoolSettings(root=user.home.parent), THREE).count()
    return octets, messages


def test_the_figure_is_what_counting_tells(user: OneUser) -> None:
    assert figure(user) == (0, 0)
    stored = [each.stored_octets for each in user.deliver(*numbered(range(3)))]
    assert figure(user) == (sum(stored), 3)
    user.session(deleted={2}, retrieved={1})
    assert figure(user) == (stored[0] + stored[2], 2)
    user.deliver(*numbered([7]))
    user.session(deleted={1, 2, 3})
    assert figure(user) == (0, 0) == counted(user)


def test_a_full_mailbox_keeps_what_it_has_and_takes_mail_after_a_deletion(user: OneUser) -> None:
    user.deliver(*numbered(range(3)))
    before = user.messages()
    with pytest.raises(QuotaExceededError):
        user.deliver(b"Subject: too much\n\n")
    assert user.messages() == before
    user.session(deleted={1})
    user.deliver(b"Subject: fits\n\n")
    assert [message.octets for message in user.messages()[2:]] == [on_the_wire(b"Subject: fits\n\n")]


def test_a_refused_delivery_leaves_the_figure_as_it_was(user: OneUser) -> None:
    user.deliver(*numbered(range(3)))
    before = figure(user)
    with pytest.raises(QuotaExceededError):
        user.deliver(b"Subject: too much\n\n")
    assert figure(user) == before == counted(user)


def test_mail_that_came_past_the_limit_is_found_when_it_matters(user: OneUser) -> None:
    user.deliver(*numbered(range(1)))
    user.deliver(*numbered(range(1, 2)))
    replace(user, limit=None).deliver(*numbered(range(2, 4)))
    with pytest.raises(QuotaExceededError):
        user.deliver(*numbered(range(4, 6)))
