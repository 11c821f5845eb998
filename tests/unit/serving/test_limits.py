from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from serving.limits import ConnectionLimits


def limits(per_address: int, connections: int = 100) -> ConnectionLimits:
    return ConnectionLimits(connections=connections, per_address=per_address)


def test_an_address_gets_no_more_than_its_share() -> None:
    counted = limits(2)
    assert [counted.connected("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert counted.connected("192.0.2.2")


def test_a_closed_connection_makes_room_for_another() -> None:
    counted = limits(1)
    counted.connected("192.0.2.1")
    counted.disconnected("192.0.2.1")
    assert counted.connected("192.0.2.1")


def test_an_ipv6_network_counts_as_one_peer() -> None:
    counted = limits(2)
    assert counted.connected("2001:db8::1")
    assert counted.connected("2001:db8::ffff:ffff:ffff:ffff")
    assert not counted.connected("2001:db8::2")
    assert counted.connected("2001:db8:0:1::2")
    counted.disconnected("2001:db8::ffff:ffff:ffff:ffff")
    assert counted.connected("2001:db8::3")


def test_a_link_local_address_with_its_interface_is_counted() -> None:
    counted = limits(1)
    assert counted.connected("fe80::1%eth0")
    assert not counted.connected("fe80::2%eth0")


def test_all_peers_together_get_no_more_than_the_total() -> None:
    counted = limits(10, connections=2)
    assert [counted.connected(f"192.0.2.{number}") for number in range(3)] == [True, True, False]
    counted.disconnected("192.0.2.0")
    assert counted.connected("192.0.2.9")


def test_local_sockets_count_in_the_total_only() -> None:
    counted = limits(1, connections=3)
    assert [counted.connected("unix") for _ in range(4)] == [True, True, True, False]
    counted.disconnected("unix")
    assert counted.open_connections == 2


@settings(max_examples=40)
@given(st.lists(st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "unix"])))
def test_nothing_is_remembered_of_closed_connections(addresses: list[str]) -> None:
    counted = limits(2, connections=4)
    for address in [address for address in addresses if counted.connected(address)]:
        counted.disconnected(address)
    assert counted.open_connections == 0
    assert not counted._by_peer
