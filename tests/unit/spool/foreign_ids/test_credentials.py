"""Tests of spool.foreign_ids.credentials."""

from __future__ import annotations

from pathlib import Path

import pytest

from spool.errors import ForeignIdsError
from spool.foreign_ids.credentials import Credentials, read_credentials
from spool.foreign_ids.old_server import Login
from spool.names import UserName

YASUHI = UserName("yasuhi")


def read(directory: Path, text: str, template: str = "{user}") -> Credentials:
    file = directory / "credentials"
    file.write_text(text)
    file.chmod(0o600)
    return read_credentials(file, template)


def test_each_user_has_a_password(tmp_path: Path) -> None:
    credentials = read(tmp_path, "# old server\nyasuhi:se:cret \r\n\nother:x\n")
    assert credentials.login(YASUHI) == Login("yasuhi", "se:cret ")


def test_a_master_user_logs_in_for_all(tmp_path: Path) -> None:
    assert read(tmp_path, "*:master\n", "{user}*admin").login(YASUHI) == Login("yasuhi*admin", "master")


def test_a_user_without_password_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ForeignIdsError, match="no password for yasuhi"):
        read(tmp_path, "other:x\n").login(YASUHI)


@pytest.mark.parametrize("line", ["yasuhi", "yasuhi:", ":secret"])
def test_a_line_without_user_or_password_is_an_error_that_does_not_show_it(tmp_path: Path, line: str) -> None:
    with pytest.raises(ForeignIdsError, match=r"line 1: expected user:password$"):
        read(tmp_path, line)


def test_no_password_is_shown(tmp_path: Path) -> None:
    credentials = read(tmp_path, "yasuhi:hidden\n")
    assert "hidden" not in repr(credentials) + repr(credentials.login(YASUHI))
