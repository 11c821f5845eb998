"""Tests of ``spool.converting.writing``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from spool.converting.writing import remove_built, write_mailbox
from spool.errors import MailboxUnavailableError
from spool.mailbox import MailboxKind, MailboxLocation
from spool.mailboxes import open_mailbox
from spool.settings import SpoolSettings
from spool.unique_ids import UniqueIdFile
from tests.mailbox_locations import location_in
from tests.unit.spool.carrying.messages import SEEN, carried

MESSAGES = [
    carried(b"Subject: one\n\n", unique_id="id-1", flags=SEEN),
    carried(b"", unique_id="id-2"),
    carried(b"", unique_id="id-3"),
]


@pytest.fixture(params=list(MailboxKind), ids=lambda kind: kind.value)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> MailboxLocation:
    """Where a mailbox shall be; nothing is there."""
    location = location_in(tmp_path / "home", request.param)
    return replace(location, path=tmp_path / "home" / "new")


def write(target: MailboxLocation, built: Path) -> int:
    settings = SpoolSettings(root=target.home.parent, mbox_lock_seconds=0.5)
    return write_mailbox(MESSAGES, ["gone"], target, built, settings)


def test_all_messages_are_written_with_their_ids_and_marks(target: MailboxLocation) -> None:
    built = target.path.with_name("built")
    assert write(target, built) == 0
    assert not target.path.exists()
    built.rename(target.path)
    maildrop = open_mailbox(target, SpoolSettings(root=target.home.parent)).open_maildrop()
    assert list(maildrop.unique_ids) == ["id-1", "id-2", "id-3"]
    assert (list(maildrop.wire_octets), maildrop.last_accessed) == ([16, 0, 0], 1)
    maildrop.close()
    assert "gone" in UniqueIdFile(target).retired()


def test_what_does_not_read_as_it_should_is_an_error(target: MailboxLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UniqueIdFile, "import_ids", lambda _self, _ids: None)
    with pytest.raises(MailboxUnavailableError, match="does not read as it should"):
        write(target, target.path.with_name("built"))


def test_what_was_built_can_be_removed_more_than_once(target: MailboxLocation) -> None:
    built = target.path.with_name("built")
    write(target, built)
    for _ in range(2):
        remove_built(built)
        assert not built.exists()


def test_a_planted_link_is_removed_and_not_what_it_leads_to(target: MailboxLocation, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    built = target.path.with_name("built")
    built.symlink_to(tmp_path / "elsewhere")
    remove_built(built)
    assert (tmp_path / "elsewhere").is_dir()
    assert not built.is_symlink()
