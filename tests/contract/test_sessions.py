"""A session is a snapshot under a lock; what it marks happens at its commit, and nothing else ever does."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from spool.errors import MailboxBusyError, MailboxChangedError, SpoolError
from tests.one_user import OneUser, numbered, on_the_wire, read, read_all


def octets(user: OneUser) -> list[bytes]:
    return [message.octets for message in user.messages()]


def test_messages_are_in_the_order_of_their_delivery(user: OneUser) -> None:
    messages = numbered(range(20))
    user.deliver(*messages)
    assert octets(user) == list(map(on_the_wire, messages))


def test_the_order_stays_when_messages_are_read(user: OneUser) -> None:
    messages = numbered(range(5))
    user.deliver(*messages)
    user.session(retrieved={2, 4})
    assert octets(user) == list(map(on_the_wire, messages))


def test_two_sessions_exclude_each_other(user: OneUser) -> None:
    first = user.mailbox.open_maildrop()
    with pytest.raises(MailboxBusyError):
        user.mailbox.open_maildrop()
    first.close()
    user.mailbox.open_maildrop().close()


def test_a_session_of_a_killed_process_is_over(user: OneUser) -> None:
    child = os.fork()
    if child == 0:
        user.mailbox.open_maildrop()
        os._exit(0)
    os.waitpid(child, 0)
    user.mailbox.open_maildrop().close()


def test_a_second_session_may_share_what_it_then_cannot_change(user: OneUser) -> None:
    user.deliver(*numbered(range(2)))
    first = user.mailbox.open_maildrop()
    second = user.mailbox.open_maildrop(share=True)
    assert second.read_only
    assert not first.read_only
    assert read_all(second) == read_all(first)
    with pytest.raises(SpoolError):
        second.commit(deleted={1}, retrieved={1})
    second.close()
    first.close()
    assert len(octets(user)) == 2


def test_sharing_with_nobody_is_an_ordinary_session(user: OneUser) -> None:
    user.deliver(*numbered(range(1)))
    maildrop = user.mailbox.open_maildrop(share=True)
    assert not maildrop.read_only
    maildrop.commit(deleted={1}, retrieved=set())
    maildrop.close()
    assert octets(user) == []


def test_a_snapshot_does_not_change_when_mail_arrives_and_the_mail_is_there_next_time(user: OneUser) -> None:
    first, second = numbered(range(2))
    user.deliver(first)
    maildrop = user.mailbox.open_maildrop()
    user.deliver(second)
    assert [message.octets for message in read_all(maildrop)] == [on_the_wire(first)]
    maildrop.commit(deleted={1}, retrieved={1})
    maildrop.close()
    assert octets(user) == [on_the_wire(second)]


def test_mail_that_arrives_while_all_is_deleted_is_kept(user: OneUser) -> None:
    user.deliver(*numbered(range(3)))
    maildrop = user.mailbox.open_maildrop()
    user.deliver(*numbered(range(3, 6)))
    maildrop.commit(deleted={1, 2, 3}, retrieved=set())
    maildrop.close()
    assert octets(user) == list(map(on_the_wire, numbered(range(3, 6))))


@pytest.mark.parametrize("deleted", [{1}, {3}, {5}, {1, 2}, {2, 4}, {4, 5}, {1, 2, 3, 4, 5}, set()], ids=str)
def test_commit_removes_what_is_deleted_and_nothing_else(user: OneUser, deleted: set[int]) -> None:
    messages = numbered(range(1, 6))
    user.deliver(*messages)
    user.session(deleted=deleted, retrieved={1, 2})
    kept = [on_the_wire(message) for number, message in enumerate(messages, 1) if number not in deleted]
    assert octets(user) == kept


def test_nothing_happens_without_commit(user: OneUser) -> None:
    user.deliver(*numbered(range(3)))
    before = user.messages()
    maildrop = user.mailbox.open_maildrop()
    read_all(maildrop)
    maildrop.close()
    maildrop = user.mailbox.open_maildrop()
    assert maildrop.last_accessed == 0
    maildrop.close()
    assert user.messages() == before


def test_the_last_accessed_message_is_the_last_that_was_read(user: OneUser) -> None:
    user.deliver(*numbered(range(4)))
    user.session(retrieved={1, 3})
    maildrop = user.mailbox.open_maildrop()
    assert maildrop.last_accessed == 3
    maildrop.close()


def test_a_message_is_read_after_mail_has_arrived(user: OneUser) -> None:
    user.deliver(*numbered(range(3)))
    maildrop = user.mailbox.open_maildrop()
    user.deliver(*numbered(range(3, 5)))
    assert read(maildrop, 3) == on_the_wire(numbered(range(3))[2])
    maildrop.close()


def test_a_maildrop_may_be_closed_twice_and_from_another_thread(user: OneUser) -> None:
    maildrop = user.mailbox.open_maildrop()
    thread = threading.Thread(target=maildrop.close)
    thread.start()
    thread.join()
    maildrop.close()
    user.mailbox.open_maildrop().close()


def test_a_closed_maildrop_neither_reads_nor_removes(user: OneUser) -> None:
    user.deliver(*numbered(range(1)))
    maildrop = user.mailbox.open_maildrop()
    maildrop.close()
    with pytest.raises(SpoolError):
        maildrop.open_message(1)
    with pytest.raises(SpoolError):
        maildrop.commit(deleted={1}, retrieved=set())
    assert len(octets(user)) == 1


def test_sessions_leave_no_descriptor_open(user: OneUser) -> None:
    user.deliver(*numbered(range(3)))
    before = open_descriptors()
    maildrop = user.mailbox.open_maildrop()
    read_all(maildrop)
    maildrop.commit(deleted={2}, retrieved={1})
    maildrop.close()
    with pytest.raises(MailboxBusyError):
        open_twice(user)
    assert open_descriptors() == before


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def open_twice(user: OneUser) -> None:
    maildrop = user.mailbox.open_maildrop()
    try:
        user.mailbox.open_maildrop()
    finally:
        maildrop.close()


def test_a_session_tells_the_size_the_time_and_the_reading_of_each_message(user: OneUser) -> None:
    before = int(time.time())
    delivered = user.deliver(*numbered(range(3)))
    user.session(retrieved={1})
    maildrop = user.mailbox.open_maildrop()
    facts = [maildrop.facts(number) for number in (1, 2, 3)]
    maildrop.close()
    assert [fact.stored_octets for fact in facts] == [each.stored_octets for each in delivered]
    assert all(fact.arrived_at is not None and before <= fact.arrived_at <= time.time() for fact in facts)
    assert [fact.fetched for fact in facts] == [True, False, False]


def test_there_are_facts_of_messages_only(user: OneUser) -> None:
    maildrop = user.mailbox.open_maildrop()
    with pytest.raises(IndexError):
        maildrop.facts(1)
    maildrop.close()


def test_there_are_no_facts_of_a_message_that_another_program_removed(user: OneUser) -> None:
    user.deliver(*numbered(range(2)))
    maildrop = user.mailbox.open_maildrop()
    path = user.location.path
    if path.is_dir():
        for each in (path / "new").iterdir():
            each.unlink()
    else:
        path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(MailboxChangedError):
        maildrop.facts(1)
    maildrop.close()
