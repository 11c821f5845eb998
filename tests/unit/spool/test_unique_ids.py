from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from spool import unique_ids
from spool.errors import MailboxBusyError, MailboxUnavailableError
from spool.kernel_locks import open_locked
from spool.mailbox import MailboxLocation
from spool.unique_id_book import RETIRED_MAX
from spool.unique_ids import UniqueIdFile, key_of_digest, key_of_name, keys_of_names
from tests.mailbox_locations import location_in


@pytest.fixture
def location(tmp_path: Path) -> MailboxLocation:
    return location_in(tmp_path)


def path_of(location: MailboxLocation) -> Path:
    return location.state / "maildir.uids"


def test_a_printable_maildir_name_is_its_own_key() -> None:
    name = "1732424000.M512330P71.mail.example.org,S=1432"
    assert key_of_name(name) is name


@pytest.mark.parametrize("base", ["", "with space", "\udcff", "x" * 71, "日本"])
def test_other_maildir_names_have_a_digest_as_key(base: str) -> None:
    key = key_of_name(base)
    assert len(key) == 32
    assert key.isascii()
    assert key.isalnum()


@pytest.mark.parametrize("bases", [[], ["a", "b!~"], ["x" * 70]])
def test_names_that_are_all_their_own_keys_are_the_keys(bases: list[str]) -> None:
    assert keys_of_names(bases) is bases


@pytest.mark.parametrize("other", ["", "with space", "\udcff", "x" * 71, "日本", "\x7f", "line\n"])
def test_one_other_name_changes_the_keys_of_no_others(other: str) -> None:
    assert keys_of_names(["a", other, "b"]) == ["a", key_of_name(other), "b"]


def test_a_key_of_a_digest_tells_the_first_160_bits() -> None:
    assert key_of_digest(bytes(20)) == key_of_digest(bytes(32)) == "a" * 32


def test_messages_with_different_keys_need_no_file(location: MailboxLocation) -> None:
    assert UniqueIdFile(location).assign(["a", "b"]) == ["a", "b"]
    assert not location.state.exists()


def test_ids_are_kept_in_a_file_for_the_owner_only(location: MailboxLocation) -> None:
    assert UniqueIdFile(location).assign(["a", "a"]) == ["a", "a-2"]
    UniqueIdFile(location).announce_removal(["a"])
    UniqueIdFile(location).forget(["a"])
    assert UniqueIdFile(location).assign(["a"]) == ["a-2"]
    assert path_of(location).stat().st_mode & 0o777 == 0o600


def test_ids_are_synced_before_they_are_returned(location: MailboxLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []

    def sync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").resolve())
        real_sync(descriptor)

    real_sync = os.fsync
    monkeypatch.setattr(os, "fsync", sync)
    UniqueIdFile(location).assign(["a", "a"])
    assert synced[-2:] == [location.state, path_of(location)]


def test_without_a_file_nothing_needs_to_be_announced(location: MailboxLocation) -> None:
    UniqueIdFile(location).announce_removal(["a"])
    assert not location.state.exists()


def test_imported_ids_override(location: MailboxLocation) -> None:
    UniqueIdFile(location).import_ids({"a": ["old"]})
    assert UniqueIdFile(location).assign(["a", "b"]) == ["old", "b"]


def test_arriving_messages_have_their_ids_before_they_are_there(location: MailboxLocation) -> None:
    UniqueIdFile(location).add_ids([("a", "old")], ["b"])
    assert UniqueIdFile(location).assign(["b", "a"]) == ["b", "old"]


def test_retired_ids_are_told(location: MailboxLocation) -> None:
    assert UniqueIdFile(location).retired() == ()
    UniqueIdFile(location).forget(["a", "b"])
    assert UniqueIdFile(location).retired() == ("a", "b")


def test_a_torn_line_is_cut_off_by_the_next_change(location: MailboxLocation) -> None:
    ids = UniqueIdFile(location)
    ids.assign(["a", "a"])
    with path_of(location).open("ab") as file:
        file.write(b"+torn and longer than the line that follows it")
    ids.forget(["b"])
    assert path_of(location).read_bytes().endswith(b"+a-2 a\n-b\n")


def test_a_foreign_file_makes_the_mailbox_unavailable_and_stays(location: MailboxLocation) -> None:
    location.state.mkdir()
    path_of(location).write_bytes(b"somebody's notes\n")
    with pytest.raises(MailboxUnavailableError, match="line 1"):
        UniqueIdFile(location).assign(["a"])
    with pytest.raises(MailboxUnavailableError):
        UniqueIdFile(location).forget(["a"])
    assert path_of(location).read_bytes() == b"somebody's notes\n"


def test_a_file_of_absurd_size_is_not_read(location: MailboxLocation) -> None:
    location.state.mkdir()
    with path_of(location).open("wb") as file:
        file.truncate(unique_ids.FILE_OCTETS_MAX + 1)
    with pytest.raises(MailboxUnavailableError, match="too many"):
        UniqueIdFile(location).assign(["a"])


def test_a_link_planted_as_file_is_not_followed(location: MailboxLocation, tmp_path: Path) -> None:
    location.state.mkdir()
    (tmp_path / "elsewhere").write_bytes(b"")
    path_of(location).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MailboxUnavailableError):
        UniqueIdFile(location).assign(["a", "a"])


def test_a_file_that_another_session_is_changing_is_busy(location: MailboxLocation) -> None:
    location.state.mkdir()
    descriptor = open_locked(path_of(location))
    assert descriptor is not None
    with pytest.raises(MailboxBusyError):
        UniqueIdFile(location).assign(["a"])
    os.close(descriptor)


def test_a_file_crowded_with_ids_of_removed_messages_is_written_anew(location: MailboxLocation) -> None:
    ids = UniqueIdFile(location)
    ids.assign(["a", "a"])
    ids.forget([f"gone{number}" for number in range(3 * RETIRED_MAX)])
    assert ids.assign(["a", "a", "a"]) == ["a", "a-2", "a-3"]
    assert path_of(location).read_bytes().count(b"\n") == RETIRED_MAX + 4
    assert ids.assign(["a", "a", "a"]) == ["a", "a-2", "a-3"]


def test_a_directory_that_may_not_be_looked_into_makes_the_mailbox_unavailable(
    location: MailboxLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(MailboxUnavailableError):
        UniqueIdFile(location).assign(["a"])
