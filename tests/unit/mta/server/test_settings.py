"""Tests of ``mta.server.settings``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mta.server.settings import LmtpSettings


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("message_octets", 0),
        ("reply_seconds", 0.0),
        ("recipients", 99),
        ("delivery_processes", 0),
        ("delivery_processes_per_user", 0),
        ("delivery_processes_idle", -1),
    ],
)
def test_a_value_out_of_its_range_is_named_by_its_key(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{key}: "):
        replace(LmtpSettings(), **{key: value})
