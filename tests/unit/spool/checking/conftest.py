"""Every test has a healthy site."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.spool.checking.made_site import MadeSite


@pytest.fixture(autouse=True)
def _no_syncs(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody cuts the power here, and a thousand real syncs take their time.
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def made(tmp_path: Path) -> MadeSite:
    """A healthy site."""
    return MadeSite(tmp_path).make()
