"""Fixtures of the tests of the delivery agent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.delivery.homes import TestHome


@pytest.fixture
def home(tmp_path: Path) -> Iterator[TestHome]:
    """The home of joe."""
    made = TestHome(tmp_path / "spool")
    yield made
    made.close()
