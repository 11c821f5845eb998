"""Tests of ``delivery.resolver``, on a site of one user whose uid is ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from delivery.program_shares import ProgramShare
from delivery.settings import DeliverySettings
from spool.errors import DirectoryUnavailableError, NoSuchUserError
from tests.unit.delivery.homes import TestHome
from tests.unit.delivery.one_user import OneUser


@pytest.fixture
def joe(home: TestHome, tmp_path: Path) -> OneUser:
    return OneUser(home, tmp_path / "site")


def test_an_address_is_whose_the_longest_assignment_says(joe: OneUser) -> None:
    exact, extended = map(joe.resolver().resolve, ("joe@b.org", "joe-list@a.org"))
    assert (exact.recipient.address, exact.wildcard) == ("joe@b.org", None)
    assert (extended.recipient.extension, extended.wildcard) == ("list", "joe-")


def test_an_address_without_a_domain_gets_the_first_of_the_sites(joe: OneUser) -> None:
    assert joe.resolver().resolve("joe").recipient.address == "joe@a.org"


@pytest.mark.parametrize(
    ("address", "trouble"),
    [("joe@c.org", NoSuchUserError), ("ann", NoSuchUserError), ("broken", DirectoryUnavailableError)],
)
def test_some_addresses_are_nobodys(joe: OneUser, address: str, trouble: type[Exception]) -> None:
    with pytest.raises(trouble):
        joe.resolver().resolve(address)


def test_an_account_says_what_its_programs_may_have(joe: OneUser) -> None:
    resolver = joe.resolver(DeliverySettings(programs_per_user=3))
    assert resolver.resolve("joe").programs == ProgramShare(3, 300.0)
    (joe.site.control / "programs").write_text("joe:1:60\n")
    assert resolver.resolve("joe").programs == ProgramShare(1, 60.0)
