"""After a power cut: acknowledged mail is there once, nothing unmarked is lost, ids that were seen stay."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from spool.mailbox import MailboxKind
from spool.unique_ids import UniqueIdFile
from tests.crash.losing import Cut, each_power_cut
from tests.one_user import Message, OneUser, numbered, on_the_wire

EQUAL = b"Subject: equal\n\n"
MAIL = [*numbered(range(2)), EQUAL, EQUAL, numbered([2])[0], EQUAL, numbered([3])[0]]
ALL = set(range(1, len(MAIL) + 1))
BROKEN = b"Subject: broken off\n\n" + b"a line of the body\n" * 50
ARRIVING = b"Subject: arriving\n\nduring the session\n"
AFTER = b"Subject: after\n\nFrom here on all is well\n"


@pytest.fixture
def original(tmp_path: Path, kind: MailboxKind) -> OneUser:
    """A user with mail that no session has seen."""
    user = OneUser(tmp_path / "original", kind)
    user.deliver(*MAIL)
    return user


def copied(user: OneUser, number: int) -> OneUser:
    """A copy of a user with all their mail, in a home of its own."""
    home = user.home.with_name(f"{user.home.name}-{number}")
    shutil.copytree(user.home, home)
    return OneUser(home, user.kind)


def power_cuts(
    user: OneUser, arrange: Callable[[OneUser], Callable[[], object]], *, step: int = 1
) -> Iterator[Cut[OneUser]]:
    """Cut the power during an operation on copies of a user."""
    for cut in each_power_cut(partial(copied, user), arrange, root=lambda user: user.home, step=step):
        yield cut
        shutil.rmtree(cut.state.home)


# -- deliveries -------------------------------------------------------------------------------------------------------


def deliver_broken(user: OneUser) -> Callable[[], object]:
    return partial(user.deliver, BROKEN)


def test_a_delivery_is_there_once_if_it_was_acknowledged_and_spoils_nothing_before_it(original: OneUser) -> None:
    before = original.messages()
    for cut in power_cuts(original, deliver_broken):
        messages = cut.state.messages()
        assert messages[: len(before)] == before, cut
        assert len(messages) <= len(before) + 1, cut
        if cut.completed:
            assert messages[-1].octets == on_the_wire(BROKEN), cut


def test_the_next_delivery_after_a_power_cut_is_whole(original: OneUser) -> None:
    before = original.messages()
    for cut in power_cuts(original, deliver_broken, step=2):
        cut.state.deliver(AFTER)
        messages = cut.state.messages()
        assert messages[: len(before)] == before, cut
        assert messages[-1].octets == on_the_wire(AFTER), cut
        assert len(messages) <= len(before) + 2, cut


# -- sessions ---------------------------------------------------------------------------------------------------------


def commit(deleted: set[int], *, arriving: bool) -> Callable[[OneUser], Callable[[], object]]:
    def arrange(user: OneUser) -> Callable[[], object]:
        maildrop = user.mailbox.open_maildrop()
        if arriving:
            user.deliver(ARRIVING)
        return lambda: maildrop.commit(deleted=deleted, retrieved={1, 2, 3})

    return arrange


SHAPES = pytest.mark.parametrize(
    ("deleted", "arriving"),
    [(set(), False), ({7}, False), ({7}, True), ({1}, False), ({2, 4, 5}, True), (ALL, False), (ALL, True)],
    ids=["nothing", "last", "last, arriving", "first", "some and a copy, arriving", "all", "all, arriving"],
)


@SHAPES
def test_a_commit_loses_nothing_unmarked_doubles_nothing_and_changes_no_unique_id(
    original: OneUser, deleted: set[int], arriving: bool
) -> None:
    before = copied(original, 0).messages()
    kept = [message for number, message in enumerate(before, 1) if number not in deleted]
    for cut in power_cuts(original, commit(deleted, arriving=arriving), step=2):
        messages = cut.state.messages()
        found = messages[: len(messages) - arriving]
        assert [message for message in found if message in kept] == kept, cut
        assert found == [message for message in before if message in found], cut
        if arriving:
            assert messages[-1].octets == on_the_wire(ARRIVING), cut
        if cut.completed:
            assert found == kept, cut
        assert cut.state.messages() == messages, cut


def test_a_power_cut_during_the_recovery_is_recovered_from(original: OneUser) -> None:
    deleted = {2, 4}
    before = copied(original, 0).messages()
    kept = [message for number, message in enumerate(before, 1) if number not in deleted]
    for cut in power_cuts(original, commit(deleted, arriving=True), step=17):
        for again in power_cuts(cut.state, lambda user: user.messages, step=5):
            messages = again.state.messages()
            assert [message for message in messages if message in kept] == kept, again
            assert messages[-1].octets == on_the_wire(ARRIVING), again
            assert len(messages) <= len(before) + 1, again


# -- unique-ids -------------------------------------------------------------------------------------------------------


def test_unique_ids_that_a_session_has_seen_stay(original: OneUser) -> None:
    expected = copied(original, 0).messages()
    for cut in power_cuts(original, lambda user: user.messages):
        seen = cut.state.messages()
        assert len({message.unique_id for message in seen}) == len(MAIL), cut
        assert cut.state.messages() == seen, cut
        if cut.completed:
            assert seen == expected, cut


def test_unique_ids_of_deleted_messages_are_not_given_to_equal_ones(original: OneUser) -> None:
    if original.kind is MailboxKind.MAILDIR:
        pytest.skip("no two messages of a Maildir are equal")
    gone = original.messages()[6]
    for cut in power_cuts(original, commit({7}, arriving=False)):
        if cut.completed:
            cut.state.deliver(MAIL[6])
            assert gone.unique_id not in ids_of(cut.state.messages()), cut


def test_imported_unique_ids_stay(original: OneUser) -> None:
    before = ids_of(original.messages())
    numbers = (1, 2, 5, 7)
    keys = {before[number - 1]: [f"imported-{number}"] for number in numbers}

    def arrange(user: OneUser) -> Callable[[], object]:
        return partial(UniqueIdFile(user.location).import_ids, keys)

    for cut in power_cuts(original, arrange):
        found = ids_of(cut.state.messages())
        for number, (old, new) in enumerate(zip(before, found, strict=True), 1):
            assert new in {old, f"imported-{number}"}, cut
        if cut.completed:
            assert [found[number - 1] for number in numbers] == [f"imported-{number}" for number in numbers], cut


def ids_of(messages: Sequence[Message]) -> list[str]:
    return [message.unique_id for message in messages]
