"""Tests of popd.server.rpop."""

from __future__ import annotations

import ipaddress
from collections.abc import Coroutine
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.names.error import DNSQueryTimeoutError, DNSServerError

from accounts.requests import Peer
from popd.server.rpop import HOST_NAMES_MAX, LOOKUP_SECONDS, NamesUnavailableError, RpopDeniedError, RpopGate
from tests.unit.popd.server.fakes import FakeResolver

NETWORKS = (ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("2001:db8::/32"))
REVERSE = "7.2.0.192.in-addr.arpa"


class Gate:
    """A gate with its fakes."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.resolver = FakeResolver()
        self.gate = RpopGate(NETWORKS, range(512, 1024), self.resolver, self.clock)

    def hosts(self, address: str = "192.0.2.7", port: int = 1022) -> tuple[str, ...]:
        return result(self.gate.hosts_of(Peer(address, port)))


def result(asked: Coroutine[Any, Any, tuple[str, ...]]) -> tuple[str, ...]:
    found: list[Any] = []
    Deferred.fromCoroutine(asked).addBoth(found.append)
    if isinstance(found[0], tuple):
        return found[0]
    raise found[0].value


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7"])
def test_addresses_in_the_networks_are_trusted(address: str) -> None:
    assert Gate().gate.trusts(address)


@pytest.mark.parametrize("address", ["198.51.100.1", "2001:db9::7", "::ffff:198.51.100.1", "unix", ""])
def test_other_addresses_are_not(address: str) -> None:
    assert not Gate().gate.trusts(address)


@pytest.mark.parametrize("address", ["198.51.100.1", "unix"])
def test_the_network_is_looked_at_first(address: str) -> None:
    gate = Gate()
    with pytest.raises(RpopDeniedError, match="rpop_networks"):
        gate.hosts(address, 40000)
    assert gate.resolver.asked == []


@pytest.mark.parametrize("port", [0, 511, 1024, 40000])
def test_the_source_port_is_looked_at_before_any_name(port: int) -> None:
    gate = Gate()
    with pytest.raises(RpopDeniedError, match="rpop_ports"):
        gate.hosts(port=port)
    assert gate.resolver.asked == []


def test_a_name_counts_only_if_it_leads_back_to_the_address() -> None:
    gate = Gate()
    gate.resolver.pointers[REVERSE] = ["Good.Example.", "liar.example"]
    gate.resolver.addresses = {"good.example": ["192.0.2.9", "192.0.2.7"], "liar.example": ["192.0.2.9"]}
    assert gate.hosts() == ("good.example",)
    assert gate.resolver.asked == [("PTR", REVERSE), ("A", "good.example"), ("A", "liar.example")]


def test_ipv6_addresses_are_looked_up_as_such() -> None:
    gate = Gate()
    gate.resolver.pointers[ipaddress.ip_address("2001:db8::7").reverse_pointer] = ["six.example"]
    gate.resolver.addresses = {"six.example": ["2001:db8:0::7"]}
    assert gate.hosts("2001:db8::7") == ("six.example",)


def test_a_peer_without_a_name_goes_by_its_address() -> None:
    assert Gate().hosts() == ()


@pytest.mark.parametrize(
    "name", [b"caf\xe9.example", b"a b.example", b"x.example\nlogin: user=root", b"a=b.example", b""]
)
def test_what_is_no_host_name_is_not_looked_up_and_not_logged(name: bytes) -> None:
    gate = Gate()
    gate.resolver.pointers[REVERSE] = [cast("Any", name), "good.example"]
    gate.resolver.addresses = {"good.example": ["192.0.2.7"]}
    assert gate.hosts() == ("good.example",)
    assert len(gate.resolver.asked) == 2


def test_only_a_few_names_are_looked_up() -> None:
    gate = Gate()
    gate.resolver.pointers[REVERSE] = [f"host{number}.example" for number in range(100)]
    gate.hosts()
    assert len(gate.resolver.asked) == 1 + HOST_NAMES_MAX


@pytest.mark.parametrize("error", [DNSServerError(), cast("Any", DNSQueryTimeoutError)(1), OSError("unreachable")])
def test_trouble_with_the_name_service_is_no_answer(error: BaseException) -> None:
    gate = Gate()
    gate.resolver.error = error
    with pytest.raises(NamesUnavailableError):
        gate.hosts()


def test_a_name_service_that_does_not_answer_is_not_waited_for() -> None:
    gate = Gate()
    gate.resolver.held = True
    failures: list[Any] = []
    Deferred.fromCoroutine(gate.gate.hosts_of(Peer("192.0.2.7", 1022))).addErrback(failures.append)
    gate.clock.advance(LOOKUP_SECONDS)
    assert isinstance(failures[0].value, NamesUnavailableError)
