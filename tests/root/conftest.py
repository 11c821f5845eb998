"""All tests here need root."""

from __future__ import annotations

import pytest

from tests.interop.needs import need_root


@pytest.fixture(scope="session", autouse=True)
def _as_root() -> None:
    need_root()
