from __future__ import annotations

import pytest

from accounts.throttle import FAILURES_PER_USER, LEAK_SECONDS, Throttle, network_of

ADDRESS = "192.0.2.1"


def test_an_address_is_blocked_from_its_limit_on() -> None:
    throttle = Throttle()
    throttle.failed(ADDRESS, "yasuhi", 0.0)
    assert not throttle.address_blocked(ADDRESS, 2, 0.0)
    throttle.failed(ADDRESS, None, 0.0)
    assert throttle.address_blocked(ADDRESS, 2, 1.0)
    assert not throttle.address_blocked("192.0.2.2", 2, 1.0)


def test_a_block_ends_when_enough_has_leaked() -> None:
    throttle = Throttle()
    for _ in range(2):
        throttle.failed(ADDRESS, None, 0.0)
    assert not throttle.address_blocked(ADDRESS, 2, LEAK_SECONDS)
    assert throttle.back_off(ADDRESS, 10 * LEAK_SECONDS) == 1


def test_a_limit_of_zero_blocks_nobody() -> None:
    throttle = Throttle()
    throttle.failed(ADDRESS, None, 0.0)
    assert not throttle.address_blocked(ADDRESS, 0, 0.0)


def test_guessing_one_user_from_everywhere_blocks_the_user_where_they_are_not_known() -> None:
    throttle = Throttle()
    throttle.succeeded("198.51.100.7", "yasuhi")
    for number in range(FAILURES_PER_USER):
        throttle.failed(f"192.0.2.{number}", "yasuhi", 0.0)
    assert throttle.user_blocked("yasuhi", "203.0.113.1", 0.0)
    assert not throttle.user_blocked("yasuhi", "198.51.100.7", 0.0)
    assert not throttle.user_blocked("other", "203.0.113.1", 0.0)


def test_failures_are_answered_later_and_later() -> None:
    throttle = Throttle()
    delays = []
    for _ in range(40):
        delays.append(throttle.back_off(ADDRESS, 0.0))
        throttle.failed(ADDRESS, None, 0.0)
    assert (delays[0], delays[4], delays[8], delays[12], delays[39]) == (1, 2, 4, 8, 8)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("unix", "unix"),
    ],
)
def test_addresses_count_as_networks(address: str, network: str) -> None:
    assert network_of(address) == network


def test_the_tables_are_bounded() -> None:
    throttle = Throttle(entries_max=3)
    for number in range(10):
        throttle.failed(f"192.0.2.{number}", f"user{number}", 0.0)
    assert not throttle.address_blocked("192.0.2.0", 1, 0.0)
    assert throttle.address_blocked("192.0.2.9", 1, 0.0)
