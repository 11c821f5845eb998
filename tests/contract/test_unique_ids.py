"""Unique-ids stay what they are, whatever happens beside the message."""

from __future__ import annotations

import shutil

from spool.unique_id_book import is_unique_id
from spool.unique_ids import UniqueIdFile
from tests.one_user import OneUser, numbered


def ids(user: OneUser) -> list[str]:
    return [message.unique_id for message in user.messages()]


def test_unique_ids_are_printable_and_differ(user: OneUser) -> None:
    user.deliver(*numbered(range(5)), b"", b"")
    assert len(set(ids(user))) == 7
    assert all(map(is_unique_id, ids(user)))


def test_unique_ids_stay_over_sessions(user: OneUser) -> None:
    user.deliver(*numbered(range(5)))
    assert ids(user) == ids(user)


def test_unique_ids_stay_when_messages_are_read(user: OneUser) -> None:
    user.deliver(*numbered(range(5)))
    before = ids(user)
    user.session(retrieved={1, 3})
    assert ids(user) == before
    user.session(retrieved={1, 2, 3, 4, 5})
    assert ids(user) == before


def test_unique_ids_stay_when_mail_arrives(user: OneUser) -> None:
    user.deliver(*numbered(range(3)))
    before = ids(user)
    user.deliver(*numbered(range(3)))
    assert ids(user)[:3] == before
    assert len(set(ids(user))) == 6


def test_unique_ids_stay_when_others_are_deleted(user: OneUser) -> None:
    user.deliver(*numbered(range(5)))
    before = ids(user)
    user.session(deleted={1, 4})
    assert ids(user) == [before[1], before[2], before[4]]


def test_unique_ids_of_equal_messages_stay_when_one_of_them_is_deleted(user: OneUser) -> None:
    user.deliver(*[b"Subject: equal\n\n"] * 4)
    before = ids(user)
    assert len(set(before)) == 4
    user.session(deleted={2})
    assert ids(user) == [before[0], before[2], before[3]]
    user.session(deleted={1})
    assert ids(user) == before[2:]


def test_the_unique_id_of_a_deleted_message_is_not_given_to_an_equal_one(user: OneUser) -> None:
    user.deliver(b"Subject: equal\n\n")
    before = ids(user)
    user.session(deleted={1})
    user.deliver(b"Subject: equal\n\n")
    assert ids(user) != before


def test_unique_ids_stay_when_every_index_is_lost(user: OneUser) -> None:
    user.deliver(*numbered(range(3)), *[b"Subject: equal\n\n"] * 2)
    user.session(deleted={1})
    before = user.messages()
    for path in user.location.state.iterdir():
        if path.suffix != ".uids":
            path.unlink()
    assert user.messages() == before


def test_unique_ids_stay_when_the_home_moves(user: OneUser) -> None:
    user.deliver(*numbered(range(3)), *[b"Subject: equal\n\n"] * 2)
    user.session(deleted={4})
    before = user.messages()
    moved = OneUser(user.home.parent / "elsewhere", user.kind)
    user.home.rename(moved.home)
    assert moved.messages() == before


def test_unique_ids_stay_when_the_home_is_copied_to_another_disk(user: OneUser) -> None:
    user.deliver(*numbered(range(3)), *[b"Subject: equal\n\n"] * 2)
    user.session(deleted={4})
    before = user.messages()
    copied = OneUser(user.home.parent / "elsewhere", user.kind)
    shutil.copytree(user.home, copied.home)
    assert copied.messages() == before


def test_unique_ids_of_an_aborted_session_are_those_of_the_next(user: OneUser) -> None:
    user.deliver(*[b"Subject: equal\n\n"] * 3)
    maildrop = user.mailbox.open_maildrop()
    seen = list(maildrop.unique_ids)
    maildrop.close()
    assert ids(user) == seen


def test_imported_unique_ids_override_the_derived_ones(user: OneUser) -> None:
    user.deliver(*numbered(range(3)))
    derived = ids(user)
    UniqueIdFile(user.location).import_ids({derived[1]: ["imported"]})
    assert ids(user) == [derived[0], "imported", derived[2]]
    user.session(deleted={1}, retrieved={2})
    user.deliver(*numbered(range(1)))
    assert ids(user)[:2] == ["imported", derived[2]]
