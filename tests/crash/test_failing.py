"""System calls that fail: the error is ours and temporary, nothing is lost, and nothing is left lying about."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from spool.errors import SpoolError
from spool.mailbox import Mailbox, MailboxKind
from tests.crash.failing import Failing, each_failure
from tests.one_user import ENVELOPE, OneUser, numbered, on_the_wire

EQUAL = b"Subject: equal\n\n"
MAIL = [*numbered(range(3)), EQUAL, EQUAL]
NEW = b"Subject: new\n\nmail\n"
# Whoever cannot look at or remove a dot-lock must leave it; it becomes stale.
CLEANING: frozenset[str | None] = frozenset({"fstat", "stat", "unlink"})


@pytest.fixture
def user(kind: MailboxKind, tmp_path: Path) -> OneUser:
    user = OneUser(tmp_path / "original", kind)
    user.deliver(*MAIL)
    user.messages()
    return user


def copied(user: OneUser) -> OneUser:
    """A copy of a user, in the place of the one before."""
    home = user.home.with_name("copy")
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(user.home, home)
    return OneUser(home, user.kind)


def succeeds(failing: Failing, operation: Callable[[], object]) -> bool:
    """Run an operation that may fail, but only with an error that is ours and temporary, and without leaking files."""
    before = open_files()
    try:
        with failing.during():
            operation()
    except SpoolError as error:
        assert not error.status.permanent  # noqa: PT017 - not every call is one that matters
        return False
    finally:
        assert open_files() == before, failing.failed
    return True


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def left_behind(user: OneUser) -> list[str]:
    """Files that an operation makes for itself and must remove."""
    return [
        path.name
        for path in user.home.rglob("*")
        if path.parent.name == "tmp" or path.suffix == ".new" or path.name == "Mailbox.lock" or path.match(".lk*")
    ]


def clear(user: OneUser) -> None:
    for name in left_behind(user):
        (user.home / name).unlink()


def test_a_delivery_is_whole_or_leaves_nothing(user: OneUser) -> None:
    before = user.messages()
    for failing in each_failure(errno.ENOSPC):
        attempt = copied(user)
        delivered = succeeds(failing, partial(attempt.mailbox.deliver, [NEW], ENVELOPE))
        assert failing.failed in CLEANING or left_behind(attempt) == []
        clear(attempt)
        messages = attempt.messages()
        assert messages[: len(before)] == before
        assert [message.octets for message in messages[len(before) :]] == [on_the_wire(NEW)] * delivered


def test_a_session_opens_with_all_messages_or_not_at_all(user: OneUser) -> None:
    before = user.messages()
    for failing in each_failure(errno.EIO):
        attempt = copied(user)
        found: list[str] = []
        if succeeds(failing, partial(collect_unique_ids, attempt.mailbox, found)):
            assert found == [message.unique_id for message in before]
        assert failing.failed in CLEANING or left_behind(attempt) == []
        clear(attempt)
        assert attempt.messages() == before


def collect_unique_ids(mailbox: Mailbox, found: list[str]) -> None:
    maildrop = mailbox.open_maildrop()
    found.extend(maildrop.unique_ids)
    maildrop.close()


def test_a_commit_that_fails_loses_nothing_and_one_that_does_not_is_done(user: OneUser) -> None:
    before = user.messages()
    kept = [message for number, message in enumerate(before, 1) if number not in {2, 4}]
    for failing in each_failure(errno.EIO):
        attempt = copied(user)
        maildrop = attempt.mailbox.open_maildrop()
        done = succeeds(failing, partial(maildrop.commit, deleted={2, 4}, retrieved={1, 2, 5}))
        maildrop.close()
        clear(attempt)
        messages = attempt.messages()
        assert [message for message in messages if message in kept] == kept
        assert [message for message in before if message in messages] == messages
        assert messages == kept or not done
