"""Tests of ``delivery.outcomes``."""

from __future__ import annotations

import pytest

from delivery.outcomes import is_temporary


@pytest.mark.parametrize(
    ("status", "temporary"),
    [(0, False), (99, False), (100, False), (64, False), (111, True), (1, True), (-9, True), (None, True)],
)
def test_what_neither_takes_nor_refuses_a_message_for_good_is_temporary(status: int | None, temporary: bool) -> None:
    assert is_temporary(status) is temporary
