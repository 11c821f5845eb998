"""Tests of popd.server.factory."""

from __future__ import annotations

import dataclasses
import re

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from accounts.requests import Offer, Peer
from popd.server.factory import CleartextPolicy, Pop3Factory
from popd.server.settings import Pop3Settings
from serving.peers import peer_of
from tests.unit.popd.server.fakes import OFFER, Client, FakeTransport

REMOTE = IPv4Address("TCP", "192.0.2.7", 1022)
LOCAL = IPv4Address("TCP", "127.0.0.1", 40000)


class OnlyOne:
    """Admits one connection at a time."""

    def __init__(self) -> None:
        self.open: list[str] = []

    def connected(self, address: str) -> bool:
        self.open.append(address)
        return len(self.open) == 1

    def disconnected(self, address: str) -> None:
        self.open.remove(address)


class Site:
    """A factory and what it needs."""

    def __init__(
        self,
        settings: Pop3Settings | None = None,
        *,
        cleartext: CleartextPolicy = "loopback",
        implicit_tls: bool = False,
        client_certificates: bool = True,
        offer: Offer = OFFER,
        stls: bool = True,
        host_name: str = "mail.example",
    ) -> None:
        client = Client(settings=settings)
        client.authenticator.offer = offer
        self.service = client.service if stls else dataclasses.replace(client.service, tls=None)
        self.admission = OnlyOne()
        self.factory = Pop3Factory(
            self.service,
            admission=self.admission,
            cleartext=cleartext,
            implicit_tls=implicit_tls,
            client_certificates=client_certificates,
            host_name=host_name,
            random_octets=bytes,
            epoch_seconds=lambda: 1234.5,
        )

    def connect(self, address: IAddress = REMOTE) -> FakeTransport:
        transport = FakeTransport()
        transport.connect(self.factory.buildProtocol(address))
        return transport

    def capabilities(self, address: IAddress = REMOTE) -> list[str]:
        transport = self.connect(address)
        transport.drain()
        transport.protocol.dataReceived(b"CAPA\r\n")
        return transport.drain().decode().splitlines()

    def answer(self, line: bytes, address: IAddress = REMOTE) -> bytes:
        transport = self.connect(address)
        transport.drain()
        transport.protocol.dataReceived(line + b"\r\n")
        return transport.drain()


def sasl(lines: list[str]) -> str:
    return next((line for line in lines if line.startswith("SASL")), "")


@pytest.mark.parametrize(
    ("cleartext", "address", "permitted"),
    [
        ("never", LOCAL, False),
        ("never", REMOTE, False),
        ("loopback", LOCAL, True),
        ("loopback", UNIXAddress("/run/pop3"), True),
        ("loopback", IPv6Address("TCP", "::1", 40000), True),
        ("loopback", IPv6Address("TCP", "::ffff:127.0.0.1", 40000), True),
        ("loopback", REMOTE, False),
        ("always", REMOTE, True),
    ],
)
def test_passwords_in_the_clear_are_for_whom_the_policy_says(
    cleartext: CleartextPolicy, address: IAddress, permitted: bool
) -> None:
    lines = Site(cleartext=cleartext).capabilities(address)
    assert ("USER" in lines) is permitted
    assert sasl(lines) == ("SASL SCRAM-SHA-256 PLAIN LOGIN" if permitted else "SASL SCRAM-SHA-256")


def test_a_connection_with_tls_offers_every_mechanism() -> None:
    policy = Site(implicit_tls=True).factory._policy(peer_of(REMOTE, tls=True))
    assert policy.tls_active
    assert policy.mechanisms_tls == OFFER.mechanisms


def test_external_is_offered_only_where_certificates_are_asked_for() -> None:
    policy = Site(client_certificates=False).factory._policy(peer_of(REMOTE, tls=True))
    assert "EXTERNAL" not in policy.mechanisms_tls


@pytest.mark.parametrize("stls", [True, False])
def test_stls_is_offered_where_there_is_a_context(stls: bool) -> None:
    assert ("STLS" in Site(stls=stls).capabilities()) is stls


def test_the_greeting_has_a_time_stamp_only_if_somebody_has_a_secret() -> None:
    greeting = Site().connect().drain().decode()
    assert re.fullmatch(r"\+OK .* <[0-9a-f]{32}\.1234@mail\.example>\r\n", greeting)
    assert b"<" not in Site(offer=Offer((), apop=False)).connect().drain()


@pytest.mark.parametrize(("address", "known"), [(REMOTE, True), (LOCAL, False)])
def test_rpop_is_a_command_in_the_trusted_networks_only(address: IAddress, known: bool) -> None:
    site = Site(Pop3Settings(rpop_networks=("192.0.2.0/24",)))
    assert (b"USER" in site.answer(b"RPOP fred", address)) is known


def test_connections_are_counted_while_they_last() -> None:
    site = Site()
    transport = site.connect()
    assert (site.service.totals.connections, site.service.totals.connections_open) == (1, 1)
    transport.lose()
    assert (site.service.totals.connections, site.service.totals.connections_open) == (1, 0)
    assert site.admission.open == []


def test_a_connection_too_many_is_told_so_and_closed() -> None:
    site = Site()
    site.connect()
    transport = site.connect()
    assert transport.value().startswith(b"-ERR [SYS/TEMP] ")
    assert transport.disconnecting
    assert site.service.totals.connections_turned_away == 1


def test_a_connection_too_many_that_awaits_a_handshake_is_closed_without_a_word() -> None:
    site = Site(implicit_tls=True)
    site.connect()
    transport = site.connect()
    assert transport.value() == b""
    assert transport.disconnecting


def test_draining_reaches_the_open_connections() -> None:
    site = Site()
    transport = site.connect()
    site.factory.drain()
    assert transport.disconnecting
    transport.lose()
    site.factory.drain()


def test_a_host_name_that_fits_no_time_stamp_is_an_error_at_once() -> None:
    with pytest.raises(ValueError, match="not a host name"):
        Site(host_name="mail example")


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        (REMOTE, Peer("192.0.2.7", 1022)),
        (IPv6Address("TCP", "2001:DB8:0::7", 1), Peer("2001:db8::7", 1)),
        (IPv6Address("TCP", "::ffff:192.0.2.7", 1), Peer("192.0.2.7", 1)),
        (UNIXAddress("/run/pop3"), Peer("unix", 0)),
        (None, Peer("unix", 0)),
    ],
)
def test_a_peer_is_known_by_its_plain_address(address: IAddress | None, peer: Peer) -> None:
    assert peer_of(address, tls=False) == peer
