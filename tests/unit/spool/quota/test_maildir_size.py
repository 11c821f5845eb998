from __future__ import annotations

import os
from pathlib import Path

import pytest

from spool.quota import maildir_size
from spool.quota.maildir_size import Counted, count_maildir


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    return made(tmp_path / "Maildir")


def made(maildir: Path) -> Path:
    for part in ("tmp", "new", "cur"):
        (maildir / part).mkdir(parents=True)
    return maildir


def test_an_empty_maildir_holds_nothing(maildir: Path) -> None:
    assert count_maildir(maildir) == Counted(0, 0, steady=True)


def test_messages_in_new_and_cur_count_with_the_sizes_of_their_files_or_names(maildir: Path) -> None:
    (maildir / "new" / "1.a").write_bytes(b"x" * 10)
    (maildir / "cur" / "2.a:2,S").write_bytes(b"x" * 20)
    (maildir / "cur" / "3.a,S=300,W=310:2,S").write_bytes(b"")
    (maildir / "new" / "4.a,S=4000").write_bytes(b"")
    assert count_maildir(maildir) == Counted(4330, 4, steady=True)


@pytest.mark.parametrize("name", ["1.a,S=x", "1.aS=5", "1.a,S=5x", "1.a,S="])
def test_a_name_that_tells_no_size_lets_the_file_tell(maildir: Path, name: str) -> None:
    (maildir / "new" / name).write_bytes(b"x" * 7)
    assert count_maildir(maildir).octets == 7


def test_folders_count_and_what_was_thrown_away_does_not(maildir: Path) -> None:
    (made(maildir / ".Archive") / "cur" / "1.a,S=10:2,S").touch()
    (made(maildir / ".Archive.2026") / "new" / "2.a,S=20").touch()
    (made(maildir / ".Trash") / "cur" / "3.a,S=40:2,S").touch()
    (maildir / "cur" / "4.a,S=80:2,ST").touch()
    assert count_maildir(maildir) == Counted(30, 2, steady=True)


def test_what_is_no_message_and_no_folder_does_not_count(maildir: Path, tmp_path: Path) -> None:
    (maildir / "tmp" / "1.a,S=1").touch()
    (maildir / "new" / ".hidden,S=1").touch()
    (maildir / "new" / "directory,S=1").mkdir()
    (maildir / "new" / "link,S=1").symlink_to(tmp_path)
    (maildir / "sub,S=1").mkdir()
    (maildir / ".file").touch()
    (maildir / ".empty").mkdir()
    (maildir / ".link").symlink_to(maildir)
    assert count_maildir(maildir) == Counted(0, 0, steady=True)


def test_a_maildir_that_is_a_link_is_not_counted(maildir: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(maildir)
    with pytest.raises(OSError, match="Not a directory"):
        count_maildir(tmp_path / "link")


def test_a_message_that_goes_meanwhile_does_not_count(maildir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = maildir / "new" / "1.a"
    message.write_bytes(b"x")
    is_trashed = maildir_size._TRASHED

    class Removing:
        def search(self, name: str) -> object:
            message.unlink(missing_ok=True)
            return is_trashed.search(name)

    monkeypatch.setattr(maildir_size, "_TRASHED", Removing())
    assert count_maildir(maildir) == Counted(0, 0, steady=True)


def test_a_maildir_that_never_rests_is_said_to_be_unsteady(maildir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(1, 100))
    count = maildir_size._sum

    def changing(root: int) -> tuple[int, int]:
        found = count(root)
        os.utime(maildir / "new", (next(times), 0))
        os.utime(maildir / "new", ns=(0, next(times)))
        return found

    monkeypatch.setattr(maildir_size, "_sum", changing)
    assert count_maildir(maildir) == Counted(0, 0, steady=False)
