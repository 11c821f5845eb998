"""Trouble is temporary, told by an error of ours, and costs no mail."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator

import pytest

from spool.errors import MailboxUnavailableError, SpoolError, StorageFullError
from tests.one_user import ENVELOPE, OneUser, numbered, on_the_wire, read_all


def failing(number: int) -> Callable[..., int]:
    def fail(*arguments: object, **names: object) -> int:
        raise OSError(number, os.strerror(number))

    return fail


def octets(user: OneUser) -> list[bytes]:
    return [message.octets for message in user.messages()]


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_delivery_that_finds_no_room_leaves_the_mailbox_as_it_was(
    user: OneUser, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.deliver(*numbered(range(2)))
    before = user.messages()
    with monkeypatch.context() as patched:
        patched.setattr(os, call, failing(errno.ENOSPC))
        with pytest.raises(StorageFullError) as caught:
            user.deliver(*numbered(range(1)))
    assert not caught.value.status.permanent
    assert user.messages() == before


def test_a_message_that_breaks_off_is_not_delivered(user: OneUser) -> None:
    def broken() -> Iterator[bytes]:
        yield b"Subject: x\n\nfirst half"
        raise RuntimeError("the sender is gone")

    user.deliver(*numbered(range(1)))
    with pytest.raises(RuntimeError):
        user.mailbox.deliver(broken(), ENVELOPE)
    assert octets(user) == [on_the_wire(message) for message in numbered(range(1))]


def test_a_read_error_is_temporary_and_costs_no_mail(user: OneUser, monkeypatch: pytest.MonkeyPatch) -> None:
    user.deliver(*numbered(range(2)))
    maildrop = user.mailbox.open_maildrop()
    with monkeypatch.context() as patched:
        for call in ("read", "pread", "open"):
            patched.setattr(os, call, failing(errno.EIO))
        with pytest.raises(MailboxUnavailableError):
            read_all(maildrop)
    assert len(read_all(maildrop)) == 2
    maildrop.close()


@pytest.mark.parametrize("call", ["fsync", "unlink", "rename", "write", "pwrite", "ftruncate"])
def test_a_commit_that_fails_removes_no_other_message(
    user: OneUser, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.deliver(*numbered(range(4)))
    before = user.messages()
    maildrop = user.mailbox.open_maildrop()
    do = getattr(os, call)

    def fail(first: object, *arguments: object, **names: object) -> object:
        if re.search(r"\.lock$|/\.lk[0-9a-f]+$", str(first)):  # a dot-lock that cannot be removed is another matter
            return do(first, *arguments, **names)
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail)
        try:
            maildrop.commit(deleted={2}, retrieved={1, 2, 3})
        except SpoolError as error:
            assert not error.status.permanent  # noqa: PT017 - not every kind makes every call
    maildrop.close()
    after = user.messages()
    assert after in (before, [before[0], *before[2:]])


def test_a_missing_home_is_never_made(user: OneUser) -> None:
    mailbox = user.mailbox
    shutil.rmtree(user.home)
    with pytest.raises(SpoolError) as delivering:
        mailbox.deliver(numbered(range(1)), ENVELOPE)
    with pytest.raises(SpoolError) as opening:
        mailbox.open_maildrop()
    assert not delivering.value.status.permanent
    assert not opening.value.status.permanent
    assert not user.home.exists()


def test_a_foreign_file_of_unique_ids_is_temporary_trouble(user: OneUser) -> None:
    user.deliver(*numbered(range(2)))
    user.location.state.mkdir(exist_ok=True)
    path = user.location.state / f"{user.location.state_name}.uids"
    path.write_bytes(b"somebody's notes\n")
    with pytest.raises(MailboxUnavailableError):
        user.mailbox.open_maildrop()
    path.unlink()
    assert len(octets(user)) == 2


def test_a_link_in_place_of_our_directory_is_refused(user: OneUser) -> None:
    user.deliver(*numbered(range(1)))
    shutil.rmtree(user.location.state, ignore_errors=True)
    user.location.state.symlink_to("/tmp")
    with pytest.raises(MailboxUnavailableError):
        user.mailbox.open_maildrop()
