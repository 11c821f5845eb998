from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from accounts.user_lines import MAX_VALUES_PER_USER, UserLines
from spool import durable
from spool.errors import SettingsError
from spool.names import UserName

YASUHI, OTHER = UserName("yasuhi"), UserName("other")


def lines(path: Path, text: str = "", mode: int = 0o600) -> UserLines:
    path.write_text(text)
    path.chmod(mode)
    return UserLines(path)


def test_values_are_read_in_their_order(tmp_path: Path) -> None:
    file = lines(tmp_path / "f", "# comment\n\nyasuhi:{A}1\nother:{B}2:1000:100::/home::\nyasuhi:{C}3")
    assert file.values(YASUHI) == ("{A}1", "{C}3")
    assert file.values(OTHER) == ("{B}2",)
    assert file.values(UserName("nobody")) == ()
    assert file.all() == {"yasuhi": ("{A}1", "{C}3"), "other": ("{B}2",)}


@pytest.mark.parametrize("bad", ["yasuhi", "yasuhi:", "Yasuhi:{A}1", ":{A}secret", "yasuhi::x", "{A}secret"])
def test_a_bad_line_is_named_and_not_shown(tmp_path: Path, bad: str) -> None:
    with pytest.raises(SettingsError, match="f: line 2: expected") as caught:
        lines(tmp_path / "f", f"other:{{A}}1\n{bad}\n").all()
    assert "secret" not in str(caught.value)


def test_the_lines_of_one_user_are_bounded(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="line 9: expected at most 8"):
        lines(tmp_path / "f", "yasuhi:{A}1\n" * (MAX_VALUES_PER_USER + 1)).all()


def test_replacing_keeps_every_other_line_and_the_mode_private(tmp_path: Path) -> None:
    file = lines(tmp_path / "f", "# ours\nyasuhi:{A}1\nother:{B}2:x\nyasuhi:{C}3\n")
    assert file.replace(YASUHI, ["{D}4", "{E}5"])
    assert (tmp_path / "f").read_text() == "# ours\nother:{B}2:x\nyasuhi:{D}4\nyasuhi:{E}5\n"
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o600
    assert file.values(YASUHI) == ("{D}4", "{E}5")


def test_removing_says_whether_there_was_something(tmp_path: Path) -> None:
    file = lines(tmp_path / "f", "yasuhi:{A}1\n")
    assert file.replace(YASUHI, ())
    assert not file.replace(YASUHI, ())
    assert (tmp_path / "f").read_bytes() == b""


def test_a_file_is_made_when_needed(tmp_path: Path) -> None:
    file = UserLines(tmp_path / "f")
    assert not file.replace(YASUHI, ["{A}1"])
    status = (tmp_path / "f").stat()
    assert (status.st_mode & 0o777, status.st_uid) == (0o600, os.getuid())
    assert file.values(YASUHI) == ("{A}1",)


def test_octets_of_comments_survive(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"# \xff\xe9\n")
    (tmp_path / "f").chmod(0o600)
    UserLines(tmp_path / "f").replace(YASUHI, ["{A}1"])
    assert (tmp_path / "f").read_bytes() == b"# \xff\xe9\nyasuhi:{A}1\n"


def test_nothing_is_written_into_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    file = lines(tmp_path / "f", "broken\n")
    with pytest.raises(SettingsError, match="line 1"):
        file.replace(YASUHI, ["{A}1"])
    assert (tmp_path / "f").read_text() == "broken\n"


def test_a_failed_write_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object, **_keywords: object) -> None:
        raise OSError(28, "No space left on device")

    file = lines(tmp_path / "f", "yasuhi:{A}1\n")
    monkeypatch.setattr(durable, "replace_file", full)
    with pytest.raises(SettingsError, match="No space left"):
        file.replace(YASUHI, ())
    assert file.values(YASUHI) == ("{A}1",)


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    users = [UserName(f"user{number}") for number in range(12)]
    threads = [threading.Thread(target=UserLines(tmp_path / "f").replace, args=(user, ["{A}1"])) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(UserLines(tmp_path / "f").all()) == {user.text for user in users}
