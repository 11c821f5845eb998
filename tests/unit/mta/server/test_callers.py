"""Tests of ``mta.server.callers``, alone and through a connection."""

from __future__ import annotations

import pytest

from mta.server import protocol
from mta.server.callers import Callers, NotYoursError
from spool.errors import DirectoryUnavailableError, MalformedNameError, NoSuchUserError
from tests.unit.mta.server.world import SERVICE_UID, Connection

OWNERS = {"joe": 1000, "joe-list": 1000, "ann": 1001}
BODY = (b"Subject: x", b"", b"body", b".")


def owner_of(address: str) -> int:
    if address == "odd":
        raise MalformedNameError(address)
    if address == "torn":
        raise DirectoryUnavailableError(address)
    if address not in OWNERS:
        raise NoSuchUserError(address)
    return OWNERS[address]


CALLERS = Callers(frozenset({0, SERVICE_UID}), owner_of)


@pytest.mark.parametrize("uid", [None, 0, SERVICE_UID])
@pytest.mark.parametrize("address", ["joe", "ann", "nobody", "odd", "torn"])
def test_whoever_is_trusted_or_not_known_delivers_to_anybody(uid: int | None, address: str) -> None:
    CALLERS.permit(uid)(address)


@pytest.mark.parametrize("address", ["joe", "joe-list"])
def test_everybody_delivers_to_their_own_addresses(address: str) -> None:
    CALLERS.permit(1000)(address)


@pytest.mark.parametrize("address", ["ann", "nobody", "odd"])
def test_others_addresses_are_refused_like_those_that_are_not_there(address: str) -> None:
    with pytest.raises(NotYoursError):
        CALLERS.permit(1000)(address)


def test_where_nobody_can_tell_whose_an_address_is_it_is_the_site_s_trouble() -> None:
    with pytest.raises(DirectoryUnavailableError):
        CALLERS.permit(1000)("torn")


def connected(uid: int | None, monkeypatch: pytest.MonkeyPatch) -> Connection:
    monkeypatch.setattr(protocol, "uid_of_transport", lambda _: uid)
    client = Connection()
    client.owners = {"joe@y": 1000, "ann@y": 1001}
    return client


def test_an_account_delivers_to_itself_over_a_local_socket_and_to_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = connected(1000, monkeypatch)
    events: list[dict[str, object]] = []
    client.service.log.observer = events.append  # type: ignore[assignment]
    assert client.begin("ann@y", "joe@y", "nobody@y")[2:] == ["450 4.7.1", "250 2.1.5", "450 4.7.1"]
    assert client.deliveries.checked == ["joe@y"]
    assert client.ask(b"DATA", *BODY) == ["354", "250 2.1.5"]
    assert [address for address, _, _ in client.deliveries.delivered] == ["joe@y"]
    assert {event["peer"] for event in events} == {"unix:1000"}
    assert b"1000" not in client.sent()


def test_the_service_itself_delivers_to_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    client = connected(SERVICE_UID, monkeypatch)
    assert client.begin("ann@y", "joe@y")[2:] == ["250 2.1.5", "250 2.1.5"]


def test_an_address_that_becomes_another_s_before_the_message_comes_is_not_delivered_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = connected(1000, monkeypatch)
    client.begin("joe@y")
    client.owners["joe@y"] = 1001
    assert client.ask(b"DATA", *BODY) == ["354", "450 4.7.1"]
    assert client.deliveries.delivered == []


def test_what_is_known_to_be_good_for_one_is_not_good_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    client = connected(0, monkeypatch)
    assert client.begin("ann@y")[2:] == ["250 2.1.5"]
    assert client.ask(b"DATA", *BODY) == ["354", "250 2.1.5"]
    monkeypatch.setattr(protocol, "uid_of_transport", lambda _: 1000)
    client.connect()
    assert client.begin("ann@y")[2:] == ["450 4.7.1"]
