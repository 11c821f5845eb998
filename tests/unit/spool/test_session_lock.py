from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from spool.errors import MailboxBusyError, MailboxUnavailableError
from spool.session_lock import SessionLock
from tests.mailbox_locations import location_in


def test_one_session_at_a_time(tmp_path: Path) -> None:
    location = location_in(tmp_path)
    lock = SessionLock(location)
    with pytest.raises(MailboxBusyError):
        SessionLock(location)
    lock.release()
    SessionLock(location).release()


def test_a_mailbox_reached_through_a_link_to_its_home_has_the_same_lock(tmp_path: Path) -> None:
    lock = SessionLock(location_in(tmp_path / "home"))
    (tmp_path / "link").symlink_to("home")
    with pytest.raises(MailboxBusyError):
        SessionLock(location_in(tmp_path / "link"))
    lock.release()


def test_a_lock_ends_with_the_process_that_holds_it(tmp_path: Path) -> None:
    location = location_in(tmp_path)
    child = os.fork()
    if child == 0:  # pragma: no cover - ends with the process
        SessionLock(location)
        os._exit(0)
    os.waitpid(child, 0)
    SessionLock(location).release()


def test_a_lock_may_be_released_twice_and_from_another_thread(tmp_path: Path) -> None:
    location = location_in(tmp_path)
    lock = SessionLock(location)
    thread = threading.Thread(target=lock.release)
    thread.start()
    thread.join()
    next_lock = SessionLock(location)
    lock.release()
    with pytest.raises(MailboxBusyError):
        SessionLock(location)
    next_lock.release()


def test_a_lock_file_that_is_something_else_makes_the_mailbox_unavailable(tmp_path: Path) -> None:
    location = location_in(tmp_path)
    location.state.mkdir()
    (location.state / "maildir.lock").mkdir()
    with pytest.raises(MailboxUnavailableError):
        SessionLock(location)
