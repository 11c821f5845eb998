"""Tests of ``spool.site_trust``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spool.errors import DirectoryUnavailableError
from spool.site import Site
from spool.site_trust import check_only_root_decides


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.control.mkdir(mode=0o755)
    made.assign_compiled.touch(0o644)
    made.directory.chmod(0o755)
    return made


def test_files_of_our_own_that_nobody_else_writes_are_believed(site: Site) -> None:
    check_only_root_decides(site)


@pytest.mark.parametrize("mode", [0o775, 0o757])
@pytest.mark.parametrize("name", ["directory", "control", "assign_compiled"])
def test_what_others_can_write_is_not_believed(site: Site, name: str, mode: int) -> None:
    path: Path = getattr(site, name)
    path.chmod(mode)
    with pytest.raises(DirectoryUnavailableError, match="lets others write it"):
        check_only_root_decides(site)


def test_what_belongs_to_somebody_else_is_not_believed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    status = site.directory.stat()
    theirs = os.stat_result((*status[:4], 4711, *status[5:]))
    monkeypatch.setattr(Path, "stat", lambda _: theirs)
    with pytest.raises(DirectoryUnavailableError, match="belongs to uid 4711"):
        check_only_root_decides(site)


def test_what_is_missing_is_not_believed(site: Site) -> None:
    site.assign_compiled.unlink()
    with pytest.raises(DirectoryUnavailableError, match="No such file"):
        check_only_root_decides(site)
