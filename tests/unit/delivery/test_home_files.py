"""Tests of ``delivery.home_files``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from delivery.dot_qmail import FILE_OCTETS_MAX
from delivery.errors import InstructionsError
from delivery.home_files import InstructionFile
from spool.errors import HomeUnavailableError
from tests.unit.delivery.homes import TestHome


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_in_a_home_that_others_can_write_mail_waits(home: TestHome, mode: int) -> None:
    home.path.chmod(mode)
    with pytest.raises(InstructionsError, match="others than its owner"):
        home.files()


def test_a_sticky_home_is_being_changed(home: TestHome) -> None:
    home.path.chmod(0o1700)
    with pytest.raises(InstructionsError, match="sticky"):
        home.files()


@pytest.mark.parametrize("follow_links", [True, False])
def test_a_file_is_read_whole(home: TestHome, follow_links: bool) -> None:
    home.write(".qmail", "a@b\n")
    home.write(".qmail-list", "c@d\n", 0o700)
    files = home.files(follow_links=follow_links)
    assert files.read(".qmail") == InstructionFile(".qmail", b"a@b\n", executable=False)
    assert files.read(f"{home.path}/.qmail-list") == InstructionFile(
        f"{home.path}/.qmail-list", b"c@d\n", executable=True
    )
    assert files.exists(".qmail")


@pytest.mark.parametrize("follow_links", [True, False])
@pytest.mark.parametrize("name", [".qmail", "missing/.qmail", ".qmail-list/x"])
def test_what_is_no_regular_file_is_not_there(home: TestHome, name: str, follow_links: bool) -> None:
    (home.path / ".qmail").mkdir()
    home.write(".qmail-list", "")
    assert home.files(follow_links=follow_links).read(name) is None
    assert not home.files(follow_links=follow_links).exists("missing")


def test_a_fifo_holds_nobody(home: TestHome) -> None:
    os.mkfifo(home.path / ".qmail")
    assert home.files().read(".qmail") is None


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_can_write_makes_mail_wait(home: TestHome, mode: int) -> None:
    home.write(".qmail", "a@b", mode)
    with pytest.raises(InstructionsError, match="others than its owner"):
        home.files().read(".qmail")


def test_a_file_has_a_length(home: TestHome) -> None:
    home.write(".qmail", "#" * (FILE_OCTETS_MAX + 1))
    with pytest.raises(InstructionsError, match="longer than"):
        home.files().read(".qmail")


@pytest.mark.parametrize("target", ["../../../secret", "{tmp}/secret"])
def test_a_link_out_of_the_home_is_followed_only_by_the_user_themselves(
    home: TestHome, tmp_path: Path, target: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x@y")
    secret.chmod(0o600)
    (home.path / ".qmail").symlink_to(target.format(tmp=tmp_path))
    assert home.files(follow_links=True).read(".qmail") == InstructionFile(".qmail", b"x@y", executable=False)
    with pytest.raises(InstructionsError, match="leads out of the home"):
        home.files(follow_links=False).read(".qmail")


def test_a_link_within_the_home_is_followed(home: TestHome) -> None:
    home.write("editor", "a@b")
    (home.path / ".qmail-list").symlink_to("editor")
    found = home.files(follow_links=False).read(".qmail-list")
    assert found is not None
    assert found.text == b"a@b"


def test_a_central_file_is_no_link(home: TestHome, tmp_path: Path) -> None:
    central = tmp_path / "central"
    central.write_text("a@b")
    central.chmod(0o644)
    (tmp_path / "link").symlink_to(central)
    found = home.files(follow_links=False).read_central(str(central))
    assert found is not None
    assert found.text == b"a@b"
    with pytest.raises(InstructionsError):
        home.files().read_central(str(tmp_path / "link"))


@pytest.mark.parametrize("call", ["read", "exists"])
def test_what_nobody_can_tell_makes_mail_wait(home: TestHome, call: str) -> None:
    files = home.files()
    with pytest.raises(HomeUnavailableError, match="too long"):
        getattr(files, call)("x" * 300)


def test_a_file_that_cannot_be_read_makes_mail_wait(home: TestHome) -> None:
    (home.path / ".qmail").symlink_to("/proc/self/mem")
    with pytest.raises((HomeUnavailableError, InstructionsError)):
        home.files().read(".qmail")
