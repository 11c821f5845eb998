"""Tests of notify.biff."""

from __future__ import annotations

import io
import os
import pty
import tty
from pathlib import Path

from notify.biff import biff
from notify.notices import short, two_lines
from notify.terminals import Places

MESSAGE = b"Subject: =?utf-8?b?GxtbMko=?= lunch\n\nat one?\n"
ENVIRONMENT = {"USER": "fred", "LOCAL": "fred-lists", "SENDER": "joe@example.net"}


def sessions(directory: Path, *names: str) -> Places:
    for number, name in enumerate(names):
        (directory / str(number)).write_text(f"USER=fred\nTTY={name}\n")
    return Places(utmp=directory / "none", sessions=directory)


def test_the_user_is_told_on_each_terminal_that_wants_it(tmp_path: Path) -> None:
    wants, wants_not = pty.openpty(), pty.openpty()
    for terminal, mode in ((wants, 0o700), (wants_not, 0o600)):
        tty.setraw(terminal[1])
        os.fchmod(terminal[1], mode)
    names = [os.ttyname(line).removeprefix("/dev/") for _, line in (wants, wants_not)]
    assert biff(ENVIRONMENT, io.BytesIO(MESSAGE), two_lines, sessions(tmp_path, *names)) == 1
    told = os.read(wants[0], 1000)
    assert told == b"\r\n\a*** TO <fred-lists> FROM <joe@example.net>\r\n    __[2J lunch/at one?\r\n"
    for descriptor in (*wants, *wants_not):
        os.close(descriptor)


def test_nobody_is_told_without_a_login(tmp_path: Path) -> None:
    message = io.BytesIO(MESSAGE)
    assert biff(ENVIRONMENT, message, short, sessions(tmp_path)) == 0
    assert message.tell() == 0, "not read for nobody"


def test_nobody_is_told_outside_an_instruction_line(tmp_path: Path) -> None:
    assert biff({"USER": "fred", "LOCAL": "fred"}, io.BytesIO(MESSAGE), short, sessions(tmp_path, "pts/0")) == 0
