from __future__ import annotations

import pytest

from accounts.identification import Claim, identify
from spool.errors import DirectoryUnavailableError
from spool.names import UserName
from tests.unit.accounts.fakes import FakeDirectory

YASUHI = UserName("yasuhi")


@pytest.mark.parametrize("name", [b"yasuhi", b"YaSuhi", b"yasuhi@example.org", b"yasuhi@EXAMPLE.ORG"])
def test_a_user_is_found_in_every_spelling(name: bytes) -> None:
    directory = FakeDirectory()
    assert identify(directory, name) == Claim(YASUHI, directory.records["yasuhi"])


@pytest.mark.parametrize("name", [b"nobody", b"nobody@example.org", b"yasuhi@example.net"])
def test_a_name_of_nobody_is_kept_for_counting(name: bytes) -> None:
    claim = identify(FakeDirectory(), name)
    assert claim.user is not None
    assert claim.record is None


@pytest.mark.parametrize("name", [b"", b"\xff", b"../yasuhi", b"a b", b"yasuhi@", b"yasuhi\0", b"%s%n", b"-yasuhi"])
def test_what_is_no_name_is_nobody(name: bytes) -> None:
    assert identify(FakeDirectory(), name) == Claim(None, None)


def test_an_unavailable_directory_is_not_an_unknown_user() -> None:
    with pytest.raises(DirectoryUnavailableError):
        identify(FakeDirectory(available=False), b"yasuhi")
