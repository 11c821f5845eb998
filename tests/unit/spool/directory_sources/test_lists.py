"""Tests of ``spool.directory_sources.lists``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from spool.directory_sources.lists import (
    Subuser,
    read_appended,
    read_mail_names,
    read_names,
    read_subusers,
)
from spool.errors import SettingsError


@pytest.fixture
def listed(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(text: bytes) -> Path:
        (tmp_path / "list").write_bytes(text)
        return tmp_path / "list"

    return write


def test_names_stand_one_a_line(listed: Callable[[bytes], Path]) -> None:
    assert read_names(listed(b"# who\nann \n\nbob\n")) == {b"ann", b"bob"}


def test_mail_names_follow_their_user(listed: Callable[[bytes], Path]) -> None:
    assert read_mail_names(listed(b"ann:ann:anna:\nbob:r\xff\n")) == {b"ann": (b"ann", b"anna"), b"bob": (b"r\xff",)}


def test_subusers_have_a_user_and_an_extension(listed: Callable[[bytes], Path]) -> None:
    assert read_subusers(listed(b"sales:ann:sell:\nhelp:bob:\n")) == (
        Subuser(b"sales", b"ann", b"sell"),
        Subuser(b"help", b"bob", b""),
    )


@pytest.mark.parametrize("text", [b"", b".\n", b"+:alias:01:1:/a:-::x\n", b"+:alias:1:1:/a:-::"])
def test_assignments_are_appended_in_plain_form(listed: Callable[[bytes], Path], text: bytes) -> None:
    assert read_appended(listed(text)) == (b"+:alias:1:1:/a:-::\n" if b"alias" in text else b"")


@pytest.mark.parametrize(
    ("read", "text", "complaint"),
    [
        (read_mail_names, b"ann:a\nbob\n", "line 2: expected user:name:"),
        (read_mail_names, b"ann::b\n", "line 1"),
        (read_subusers, b"sales:ann\n", "line 1: expected local:user:extension:, found 'sales:ann'"),
        (read_subusers, b":ann:x:\n", "line 1"),
        (read_names, b"a\0b\n", "it contains a NUL"),
        (read_appended, b"=a:a:x:1:/a:::\n", r"line 1: field 3 \(uid\)"),
    ],
)
def test_what_is_wrong_is_an_error_that_names_it(
    listed: Callable[[bytes], Path], read: Callable[[Path], object], text: bytes, complaint: str
) -> None:
    with pytest.raises(SettingsError, match=f"list: {complaint}"):
        read(listed(text))


def test_a_missing_list_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        read_names(tmp_path / "none")
