"""Tests of notify.terminals, with real terminals (pty)."""

from __future__ import annotations

import os
import pty
import struct
import termios
import tty
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from notify.terminals import Places, terminals_of, write_to_terminal

USER_PROCESS, DEAD_PROCESS = 7, 8


def record(line: str, user: str, kind: int = USER_PROCESS) -> bytes:
    return struct.pack("h2xi32s4s32s", kind, 1, line.encode(), b"", user.encode()).ljust(
        400 if os.uname().machine in {"aarch64", "riscv64", "loongarch64"} else 384, b"\0"
    )


def places(directory: Path, *records: bytes) -> Places:
    (directory / "utmp").write_bytes(b"".join(records))
    return Places(utmp=directory / "utmp", sessions=directory / "sessions")


def test_utmp_names_each_terminal_of_a_user_once(tmp_path: Path) -> None:
    where = places(
        tmp_path,
        record("pts/1", "fred"),
        record("pts/2", "freda"),
        record("tty3", "fred"),
        record("pts/1", "fred"),
        record("pts/4", "fred", DEAD_PROCESS),
    )
    assert terminals_of("fred", where) == ("pts/1", "tty3")


@pytest.mark.parametrize("line", ["", "/dev/sda", "../etc/passwd", "pts/../sda", ":0", "ftp.1"])
def test_a_line_that_is_no_terminal_is_passed_over(tmp_path: Path, line: str) -> None:
    assert terminals_of("fred", places(tmp_path, record(line, "fred"))) == ()


def test_a_name_longer_than_utmp_holds_is_nobodys(tmp_path: Path) -> None:
    assert terminals_of("f" * 33, places(tmp_path, record("pts/1", "f" * 32))) == ()
    assert terminals_of("f" * 32, places(tmp_path, record("pts/1", "f" * 32))) == ("pts/1",)


def test_a_torn_record_is_passed_over(tmp_path: Path) -> None:
    assert terminals_of("fred", places(tmp_path, record("pts/1", "fred"), record("pts/2", "fred")[:-1])) == ("pts/1",)


def test_without_utmp_the_sessions_of_logind_tell(tmp_path: Path) -> None:
    where = Places(utmp=tmp_path / "none", sessions=tmp_path)
    (tmp_path / "1").write_text("# private\nUID=1\nUSER=fred\nTTY=pts/1\n")
    (tmp_path / "2").write_text("UID=2\nUSER=joe\nTTY=pts/2\n")
    (tmp_path / "3").write_text("UID=1\nUSER=fred\n")
    (tmp_path / "4").mkdir()
    assert terminals_of("fred", where) == ("pts/1",)


def test_without_both_nobody_is_logged_in(tmp_path: Path) -> None:
    assert terminals_of("fred", Places(utmp=tmp_path / "none", sessions=tmp_path / "neither")) == ()


@dataclass(frozen=True, slots=True)
class Terminal:
    """A real one: its screen's side, its program's side, and the name of that."""

    screen: int
    line: int
    name: str


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    screen, line = pty.openpty()
    tty.setraw(line)
    yield Terminal(screen, line, os.ttyname(line).removeprefix("/dev/"))
    os.close(screen)
    os.close(line)


def test_a_terminal_that_wants_notices_gets_them(terminal: Terminal) -> None:
    os.fchmod(terminal.line, 0o700)
    assert write_to_terminal(terminal.name, "\a新着\r\n", os.getuid(), Path("/dev"))
    assert os.read(terminal.screen, 100) == "\a新着\r\n".encode()


def test_a_terminal_without_the_execute_bit_is_left_alone(terminal: Terminal) -> None:
    os.fchmod(terminal.line, 0o620)
    assert not write_to_terminal(terminal.name, "new mail", os.getuid(), Path("/dev"))


def test_another_users_terminal_is_left_alone(terminal: Terminal) -> None:
    os.fchmod(terminal.line, 0o700)
    assert not write_to_terminal(terminal.name, "new mail", os.getuid() + 1, Path("/dev"))


def test_a_stopped_terminal_delays_nobody(terminal: Terminal) -> None:
    os.fchmod(terminal.line, 0o700)
    termios.tcflow(terminal.line, termios.TCOOFF)
    assert not write_to_terminal(terminal.name, "new mail", os.getuid(), Path("/dev"))


def test_a_file_among_the_devices_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "tty1").write_text("")
    (tmp_path / "tty1").chmod(0o700)
    assert not write_to_terminal("tty1", "new mail", os.getuid(), tmp_path)
    assert (tmp_path / "tty1").read_text() == ""


def test_a_link_among_the_devices_is_not_followed(tmp_path: Path, terminal: Terminal) -> None:
    os.fchmod(terminal.line, 0o700)
    (tmp_path / "tty1").symlink_to(f"/dev/{terminal.name}")
    assert not write_to_terminal("tty1", "new mail", os.getuid(), tmp_path)


def test_a_device_that_is_not_there_is_passed_over(tmp_path: Path) -> None:
    assert not write_to_terminal("pts/99", "new mail", os.getuid(), tmp_path)
