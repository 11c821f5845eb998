from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.quota.limits import Limit, parse_limit

sides = st.none() | st.integers(1, 10**14)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("1000", Limit(1000, None)),
        ("500M", Limit(500 * 1024**2, None)),
        ("1G,10000", Limit(1024**3, 10000)),
        ("2T,1", Limit(2 * 1024**4, 1)),
        ("3K", Limit(3072, None)),
        (",250", Limit(None, 250)),
        ("none", None),
    ],
)
def test_a_limit_is_octets_and_messages(text: str, limit: Limit | None) -> None:
    assert parse_limit(text) == limit


@pytest.mark.parametrize("text", ["", ",", "0", "10,0", "-1", "1g", "1GB", "G", "1,2,3", "1000S", " 1", "1\n", "٣"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_limit(text)


@given(sides, sides)
def test_a_limit_is_read_as_it_is_shown(octets: int | None, messages: int | None) -> None:
    if octets is not None or messages is not None:
        limit = Limit(octets, messages)
        assert parse_limit(str(limit)) == limit


@pytest.mark.parametrize(
    ("limit", "definition"),
    [(Limit(1000, None), b"1000S"), (Limit(1000, 20), b"1000S,20C"), (Limit(None, 20), b"20C")],
)
def test_the_definition_is_that_of_maildir_plus_plus(limit: Limit, definition: bytes) -> None:
    assert limit.definition == definition


@pytest.mark.parametrize(
    ("octets", "messages", "allowed"), [(1000, 10, True), (1001, 10, False), (1000, 11, False), (0, 0, True)]
)
def test_both_sides_limit(octets: int, messages: int, allowed: bool) -> None:
    assert Limit(1000, 10).allows(octets, messages) is allowed


def test_a_side_that_is_not_limited_allows_anything() -> None:
    assert Limit(1000, None).allows(1000, 10**9)
    assert Limit(None, 10).allows(10**15, 10)


def test_the_share_is_that_of_the_fuller_side() -> None:
    assert Limit(1000, 10).share(100, 5) == 0.5
    assert Limit(1000, 10).share(1500, 5) == 1.5
    assert Limit(1000, None).share(100, 5) == 0.1
