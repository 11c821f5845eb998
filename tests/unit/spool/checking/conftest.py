"""Every test has a healthy site."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.spool.checking.made_site import MadeSite


@pytest.fixture(autouse=True)
def _no_syncs(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody cuts the power here, and a thousand real syncs take their time.
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[MadeSite]:
    """A healthy site."""
    yield MadeSite(tmp_path).make()
    # Whoever removes the test's directory needs the rights that a test may have taken.
    for directory, _, _ in os.walk(tmp_path):
        Path(directory).chmod(0o700)
