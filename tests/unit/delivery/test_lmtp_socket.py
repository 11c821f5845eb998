"""Tests of ``delivery.lmtp_socket`` and ``delivery.lmtp_socket_publishing``."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from delivery.lmtp_socket import LmtpSocket, find_lmtp_socket
from delivery.lmtp_socket_publishing import publish_lmtp_socket
from spool.site import Site

TOML = b'[spool]\nroot = "/x"\n\n[log]\nlevel = "info"\n'


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site whose service has told where it is."""
    made = Site(tmp_path / "site")
    (made.directory / "run").mkdir(parents=True, mode=0o755)
    made.settings_file.write_bytes(TOML)
    publish_lmtp_socket(made, LmtpSocket(b"/x/lmtp", 55), TOML)
    return made


def found(site: Site) -> tuple[bytes, int] | None:
    told = find_lmtp_socket(str(site.directory))
    return None if told is None else (told.path, told.uid)


def test_what_the_service_has_told_is_found(site: Site) -> None:
    assert found(site) == (b"/x/lmtp", 55)


def test_a_site_is_the_same_by_another_name(site: Site, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(site.directory)
    assert found(Site(tmp_path / "link")) == (b"/x/lmtp", 55)


def test_changed_settings_make_it_stale_even_in_the_same_instant_and_length(site: Site) -> None:
    status = site.settings_file.stat()
    with site.settings_file.open("r+b") as file:
        file.write(TOML.replace(b"/x", b"/y"))
    os.utime(site.settings_file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert found(site) is None


def test_a_copied_site_does_not_use_the_service_of_the_other(site: Site, tmp_path: Path) -> None:
    shutil.copytree(site.directory, tmp_path / "copy")
    assert found(Site(tmp_path / "copy")) is None


@pytest.mark.parametrize("path", ["run", "run/hand-over"])
def test_what_others_may_write_is_not_believed(site: Site, path: str) -> None:
    (site.directory / path).chmod(0o775)
    assert found(site) is None


def test_a_planted_link_is_not_followed(site: Site) -> None:
    file = site.directory / "run/hand-over"
    file.rename(site.directory / "elsewhere")
    file.symlink_to(site.directory / "elsewhere")
    assert found(site) is None


def test_a_planted_fifo_holds_up_nobody(site: Site) -> None:
    file = site.directory / "run/hand-over"
    file.unlink()
    os.mkfifo(file, 0o644)
    assert found(site) is None


@pytest.mark.parametrize("content", [b"", b"mailspool hand-over 1\n\n", b"a\nb\nuid 1\nsocket /x\n\n" + TOML])
def test_a_file_of_another_form_says_nothing(site: Site, content: bytes) -> None:
    (site.directory / "run/hand-over").write_bytes(content)
    assert found(site) is None


def test_a_service_without_a_socket_takes_back_what_another_told(site: Site) -> None:
    publish_lmtp_socket(site, None, TOML)
    assert found(site) is None
    publish_lmtp_socket(site, None, TOML)


def test_a_path_that_is_more_than_a_line_is_not_told(site: Site) -> None:
    publish_lmtp_socket(site, LmtpSocket(b"/x\n/y", 55), TOML)
    assert found(site) is None
