"""What is acknowledged has been synced: file and directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from spool import durable
from spool.mailbox import MailboxKind
from tests.crash.syncing import WatchingOs
from tests.one_user import OneUser, numbered


@pytest.fixture
def user(kind: MailboxKind, tmp_path: Path) -> OneUser:
    """Somebody who had a session before: the file of its lock may be lost, since it is made again."""
    user = OneUser(tmp_path / "home", kind)
    user.mailbox.open_maildrop().close()
    return user


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch) -> WatchingOs:
    watching = WatchingOs()
    monkeypatch.setattr(durable, "os", watching)
    return watching


def not_synced(watching: WatchingOs) -> set[Path]:
    """What is not synced and would be missed: sizes and read marks may be lost, and ``tmp`` is swept some day."""
    return {path for path in watching.unsynced if path.name != "tmp" and path.suffix not in {".sizes", ".read"}}


def test_a_delivered_message_is_synced(user: OneUser, watching: WatchingOs) -> None:
    user.deliver(*numbered(range(3)))
    assert not_synced(watching) == set()


def test_unique_ids_that_are_shown_are_synced(user: OneUser, watching: WatchingOs) -> None:
    user.deliver(*[b"Subject: equal\n\n"] * 3)
    user.mailbox.open_maildrop().close()
    assert not_synced(watching) == set()


@pytest.mark.parametrize("deleted", [{1}, {2, 3}, {1, 2, 3, 4}], ids=str)
def test_a_commit_is_synced(user: OneUser, watching: WatchingOs, deleted: set[int]) -> None:
    user.deliver(*numbered(range(4)))
    user.session(deleted=deleted, retrieved={1, 2, 3, 4})
    assert not_synced(watching) == set()


def test_watching_tells_what_is_not_synced(tmp_path: Path, watching: WatchingOs) -> None:
    descriptor = durable.open_for_append(tmp_path / "file", create_mode=0o600)
    assert watching.unsynced == set()
    durable.write_all(descriptor, b"x")
    assert watching.unsynced == {tmp_path / "file"}
    durable.rename(tmp_path / "file", tmp_path / "moved")
    assert watching.unsynced == {tmp_path / "moved", tmp_path}
    durable.sync_file(descriptor)
    durable.sync_directory(tmp_path)
    assert watching.unsynced == set()
    durable.remove(tmp_path / "moved")
    assert watching.unsynced == {tmp_path}
