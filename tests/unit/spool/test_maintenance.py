"""Tests of ``spool.maintenance``."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from spool.errors import MailboxUnavailableError, MaintenanceBusyError
from spool.maintenance import maintenance
from spool.site import Site


def test_its_directory_is_private_and_stays(tmp_path: Path) -> None:
    for _ in range(2):
        with maintenance(Site(tmp_path)) as directory:
            assert directory == tmp_path / "maintenance"
            assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_one_operation_runs_at_a_time(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with maintenance(site), pytest.raises(MaintenanceBusyError, match="another maintenance program"), maintenance(site):
        raise AssertionError
    with maintenance(site):
        pass


def test_a_site_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MailboxUnavailableError), maintenance(Site(tmp_path / "missing")):
        raise AssertionError
