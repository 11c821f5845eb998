from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.rhosts import (
    MAX_RHOSTS_LINES,
    MAX_RHOSTS_OCTETS,
    RemoteAccount,
    UntrustedRhostsError,
    judge,
    read_rhosts,
)
from spool.errors import HomeUnavailableError
from spool.names import UserName

YASUHI = UserName("yasuhi")
REMOTE = RemoteAccount("192.0.2.7", ("ws7.example.org",), b"yasuhi")
OTHER = RemoteAccount("192.0.2.7", ("ws7.example.org",), b"other")
NAMELESS = RemoteAccount("2001:db8::7", (), b"yasuhi")
MAPPED = RemoteAccount("::ffff:192.0.2.7", (), b"yasuhi")


@pytest.mark.parametrize(
    ("content", "remote", "line"),
    [
        (b"ws7.example.org\n", REMOTE, 1),
        (b"WS7.Example.ORG.\n", REMOTE, 1),
        (b"+ws7.example.org\n", REMOTE, 1),
        (b"192.0.2.7\n", REMOTE, 1),
        (b"192.0.2.7", MAPPED, 1),
        (b"2001:DB8::7 yasuhi", NAMELESS, 1),
        (b"ws7.example.org other # colleague\n", OTHER, 1),
        (b"ws7.example.org +other\n", OTHER, 1),
        (b"ws7.example.org +\n", OTHER, 1),
        (b"\n# comment\nws8.example.org\n\tws7.example.org yasuhi\r\n", REMOTE, 4),
        (b"-ws8.example.org\nws7.example.org -other\nws7.example.org", REMOTE, 3),
        (b"too many fields here\nws7.example.org", REMOTE, 2),
    ],
)
def test_a_line_lets_in(content: bytes, remote: RemoteAccount, line: int) -> None:
    verdict = judge(content, remote, YASUHI)
    assert (verdict.allowed, verdict.line) == (True, line)


@pytest.mark.parametrize(
    ("content", "remote", "line"),
    [
        (b"", REMOTE, None),
        (b"ws7.example.org\n", OTHER, None),
        (b"ws7.example.org yasuhi\n", OTHER, None),
        (b"ws8.example.org\n", REMOTE, None),
        (b"example.org\n", REMOTE, None),
        (b"ws7.example.org\n", NAMELESS, None),
        (b"+\n", REMOTE, None),
        (b"+ +\n", REMOTE, None),
        (b"+@trusted\n", REMOTE, None),
        (b"ws7.example.org +@trusted\n", REMOTE, None),
        (b"ws7.example.org\xff\n", REMOTE, None),
        (b"#ws7.example.org\n", REMOTE, None),
        (b"-ws7.example.org\nws7.example.org\n", REMOTE, 1),
        (b"-ws7.example.org other\nws7.example.org\n", REMOTE, 1),
        (b"ws7.example.org -yasuhi\nws7.example.org\n", REMOTE, 1),
        (b"-@banned\nws7.example.org\n", REMOTE, 1),
        (b"ws7.example.org -@banned\nws7.example.org\n", REMOTE, 1),
        (b"-192.0.2.7\nws7.example.org\n", REMOTE, 1),
        (b"ws7.example.org\n" + b"\n" * MAX_RHOSTS_LINES, REMOTE, None),
        (b"ws7.example.org\n" + b"#" * MAX_RHOSTS_OCTETS, REMOTE, None),
    ],
)
def test_a_line_or_its_absence_keeps_out(content: bytes, remote: RemoteAccount, line: int | None) -> None:
    verdict = judge(content, remote, YASUHI)
    assert (verdict.allowed, verdict.line) == (False, line)


def test_a_thousand_lines_are_read() -> None:
    assert judge(b"\n" * (MAX_RHOSTS_LINES - 1) + b"ws7.example.org\n", REMOTE, YASUHI).line == MAX_RHOSTS_LINES


@given(st.binary(max_size=200))
def test_no_octets_let_a_stranger_in(content: bytes) -> None:
    stranger = RemoteAccount("198.51.100.99", ("stranger.example.net",), b"mallory")
    assert not judge(content, stranger, YASUHI).allowed


def test_a_file_is_read_from_the_home(tmp_path: Path) -> None:
    assert read_rhosts(tmp_path, os.getuid()) == b""
    (tmp_path / ".rhosts").write_bytes(b"ws7.example.org\n")
    assert read_rhosts(tmp_path, os.getuid()) == b"ws7.example.org\n"


def test_a_long_file_is_not_read_whole(tmp_path: Path) -> None:
    (tmp_path / ".rhosts").write_bytes(b"x" * (2 * MAX_RHOSTS_OCTETS))
    assert len(read_rhosts(tmp_path, os.getuid())) == MAX_RHOSTS_OCTETS + 1


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_can_write_is_not_trusted(tmp_path: Path, mode: int) -> None:
    (tmp_path / ".rhosts").write_bytes(b"")
    (tmp_path / ".rhosts").chmod(mode)
    with pytest.raises(UntrustedRhostsError, match="written"):
        read_rhosts(tmp_path, os.getuid())


def test_a_home_that_others_can_write_is_not_trusted(tmp_path: Path) -> None:
    tmp_path.chmod(0o770)
    with pytest.raises(UntrustedRhostsError, match="written"):
        read_rhosts(tmp_path, os.getuid())


def test_a_file_with_two_names_or_of_another_kind_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / ".rhosts").hardlink_to(tmp_path / "a")
    with pytest.raises(UntrustedRhostsError, match="one link"):
        read_rhosts(tmp_path, os.getuid())
    (tmp_path / ".rhosts").unlink()
    os.mkfifo(tmp_path / ".rhosts", 0o600)
    with pytest.raises(UntrustedRhostsError, match="regular"):
        read_rhosts(tmp_path, os.getuid())
    (tmp_path / ".rhosts").unlink()
    with socket.socket(socket.AF_UNIX) as local:
        local.bind(os.path.relpath(tmp_path / ".rhosts"))
    with pytest.raises(UntrustedRhostsError, match="regular"):
        read_rhosts(tmp_path, os.getuid())


def test_an_owner_other_than_user_and_root_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = list(tmp_path.stat())
    status[4] = 4711
    monkeypatch.setattr(os, "fstat", lambda _descriptor: os.stat_result(status))
    with pytest.raises(UntrustedRhostsError, match="found 4711"):
        read_rhosts(tmp_path, os.getuid())


def test_links_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "target").write_bytes(b"+ +\n")
    (tmp_path / "home" / ".rhosts").symlink_to(tmp_path / "target")
    (tmp_path / "link").symlink_to(tmp_path / "home")
    with pytest.raises(UntrustedRhostsError, match="regular"):
        read_rhosts(tmp_path / "home", os.getuid())
    with pytest.raises(HomeUnavailableError):
        read_rhosts(tmp_path / "link", os.getuid())


def test_the_link_that_a_rehash_left_in_the_place_of_a_home_is_followed(tmp_path: Path) -> None:
    root = tmp_path / "mail"
    (root / "y" / "yasuhi").mkdir(mode=0o700, parents=True)
    (root / "y" / "yasuhi" / ".rhosts").write_bytes(b"ws7.example.org\n")
    (root / "yasuhi").symlink_to("y/yasuhi")
    assert read_rhosts(root / "yasuhi", os.getuid(), moved_below=root) == b"ws7.example.org\n"
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (root / "other").symlink_to("../elsewhere")
    with pytest.raises(HomeUnavailableError):
        read_rhosts(root / "other", os.getuid(), moved_below=root)


def test_a_file_that_cannot_be_read_is_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really_open = os.open

    def hang_up(path: Path | str, flags: int, *, dir_fd: int | None = None) -> int:
        if path == ".rhosts":
            raise OSError(errno.ESTALE, "Stale file handle")
        return really_open(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", hang_up)
    with pytest.raises(HomeUnavailableError, match="Stale"):
        read_rhosts(tmp_path, os.getuid())


def test_a_missing_home_is_not_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(HomeUnavailableError):
        read_rhosts(tmp_path / "gone", os.getuid())
