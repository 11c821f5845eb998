"""A session that is broken off: nothing unmarked is lost, nothing is doubled, no unique-id changes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from spool.mailbox import MailboxKind
from tests.crash.stopping import each_stop
from tests.one_user import OneUser, numbered, on_the_wire

EQUAL = b"Subject: equal\n\n"
MAIL = [*numbered(range(2)), EQUAL, EQUAL, numbered([2])[0], EQUAL, numbered([3])[0]]
ALL = set(range(1, len(MAIL) + 1))
ARRIVING = b"Subject: arriving\n\nduring the session\n"


@pytest.fixture
def fresh(tmp_path: Path, kind: MailboxKind) -> Callable[[int], OneUser]:
    """Makes copies of one user with the same mail, which no session has seen."""
    original = OneUser(tmp_path / "original", kind)
    original.deliver(*MAIL)

    return partial(copied, original)


def copied(user: OneUser, number: int) -> OneUser:
    """A copy of a user with all their mail, in a home of its own."""
    home = user.home.with_name(f"{user.home.name}-{number}")
    shutil.copytree(user.home, home)
    return OneUser(home, user.kind)


def commit(deleted: set[int], *, arriving: bool) -> Callable[[OneUser], Callable[[], object]]:
    def arrange(user: OneUser) -> Callable[[], object]:
        maildrop = user.mailbox.open_maildrop()
        if arriving:
            user.deliver(ARRIVING)
        return lambda: maildrop.commit(deleted=deleted, retrieved={1, 2, 3})

    return arrange


@pytest.mark.parametrize(
    ("deleted", "arriving"),
    [(set(), False), ({7}, True), ({2, 4, 5}, True), (ALL, False), (ALL, True)],
    ids=["nothing", "the last", "some and a copy", "all", "all, while mail arrives"],
)
def test_a_broken_commit_loses_nothing_unmarked_and_changes_no_unique_id(
    fresh: Callable[[int], OneUser], deleted: set[int], arriving: bool
) -> None:
    before = fresh(0).messages()
    kept = [message for number, message in enumerate(before, 1) if number not in deleted]
    for stopped in each_stop(fresh, commit(deleted, arriving=arriving)):
        messages = stopped.state.messages()
        found = messages[: len(messages) - arriving]
        assert [message for message in found if message in kept] == kept
        assert found == [message for message in before if message in found]
        assert len({message.unique_id for message in messages}) == len(messages)
        if arriving:
            assert messages[-1].octets == on_the_wire(ARRIVING)
        if stopped.completed:
            assert found == kept
        assert stopped.state.messages() == messages


def test_a_mailbox_goes_on_after_a_broken_commit(fresh: Callable[[int], OneUser]) -> None:
    before = fresh(0).messages()
    for stopped in each_stop(fresh, commit({2, 4}, arriving=False), step=3):
        user = stopped.state
        user.deliver(ARRIVING)
        ids = [message.unique_id for message in user.messages()]
        assert set(ids) - {message.unique_id for message in before} == {ids[-1]}
        user.session(deleted=set(range(1, len(ids))))
        (last,) = user.messages()
        assert last == (ids[-1], on_the_wire(ARRIVING))


def test_a_broken_recovery_is_recovered_from(fresh: Callable[[int], OneUser]) -> None:
    before = fresh(0).messages()
    kept = [message for number, message in enumerate(before, 1) if number not in {2, 4}]
    for stopped in each_stop(fresh, commit({2, 4}, arriving=True), step=7):
        for recovery in each_stop(partial(copied, stopped.state), lambda user: user.messages):
            messages = recovery.state.messages()
            assert [message for message in messages if message in kept] == kept
            assert messages[-1].octets == on_the_wire(ARRIVING)
            assert len(messages) <= len(before) + 1


def test_unique_ids_seen_after_a_broken_opening_stay(fresh: Callable[[int], OneUser]) -> None:
    for stopped in each_stop(fresh, lambda user: user.messages):
        seen = stopped.state.messages()
        assert len({message.unique_id for message in seen}) == len(MAIL)
        assert stopped.state.messages() == seen
