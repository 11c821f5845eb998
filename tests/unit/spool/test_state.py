from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from spool.errors import MailboxUnavailableError
from spool.state import make_state_directory, state_file
from tests.mailbox_locations import location_in


def test_files_of_a_mailbox_are_named_after_it(tmp_path: Path) -> None:
    location = location_in(tmp_path)
    assert state_file(location, ".lock") == tmp_path / ".mailspool" / "maildir.lock"


def test_the_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    location = location_in(tmp_path)
    make_state_directory(location)
    make_state_directory(location)
    assert location.state.stat().st_mode & 0o777 == 0o700


def test_a_missing_home_is_not_made(tmp_path: Path) -> None:
    location = location_in(tmp_path / "home")
    shutil.rmtree(tmp_path / "home")
    with pytest.raises(MailboxUnavailableError):
        make_state_directory(location)
    assert not (tmp_path / "home").exists()


def test_a_link_in_the_directory_s_place_is_refused(tmp_path: Path) -> None:
    location = location_in(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    location.state.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MailboxUnavailableError):
        make_state_directory(location)
