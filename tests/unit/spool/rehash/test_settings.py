"""Tests of ``spool.rehash.settings``."""

from __future__ import annotations

import pytest

from spool.rehash.settings import RehashSettings


@pytest.mark.parametrize("key", ["link_seconds", "grace_seconds"])
def test_a_time_below_zero_is_refused_by_its_key(key: str) -> None:
    assert getattr(RehashSettings(**{key: 0}), key) == 0
    with pytest.raises(ValueError, match=f"^{key}: expected 0 or more"):
        RehashSettings(**{key: -1})
