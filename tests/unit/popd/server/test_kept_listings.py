from __future__ import annotations

import tracemalloc
from array import array
from collections.abc import Sequence

import pytest

from popd.server.kept_listings import KeptListings
from spool.kept_snapshots import KEEPS_NOTHING, KeptSnapshots
from spool.names import UserName

YASUHI, KENJI = UserName("yasuhi"), UserName("kenji")


@pytest.fixture
def kept() -> KeptSnapshots:
    return KeptSnapshots(100_000)


def test_sessions_on_an_unchanged_maildrop_share_the_listings(kept: KeptSnapshots) -> None:
    listings = KeptListings(kept)
    first = listings.of(YASUHI, array("Q", [120, 200]), ["a", "b"])
    assert listings.of(YASUHI, array("Q", [120, 200]), ["a", "b"]) is first


@pytest.mark.parametrize(
    ("wire_octets", "unique_ids"), [([120, 201], ["a", "b"]), ([120, 200], ["a", "c"]), ([120], ["a"]), ([], [])]
)
def test_another_size_or_id_makes_other_listings(
    kept: KeptSnapshots, wire_octets: Sequence[int], unique_ids: Sequence[str]
) -> None:
    listings = KeptListings(kept)
    listings.of(YASUHI, [120, 200], ["a", "b"])
    other = listings.of(YASUHI, wire_octets, unique_ids)
    assert (other.wire_octets, other.unique_ids) == (wire_octets, unique_ids)


def test_each_user_has_their_own(kept: KeptSnapshots) -> None:
    listings = KeptListings(kept)
    first = listings.of(YASUHI, [120], ["a"])
    listings.of(KENJI, [5], ["z"])
    assert listings.of(YASUHI, [120], ["a"]) is first


def test_without_room_they_are_built_anew() -> None:
    assert KeptListings(KEEPS_NOTHING).of(YASUHI, [120], ["a"]).sizes_reply.startswith(b"+OK 1 ")


def test_memory_is_told_about_right(kept: KeptSnapshots) -> None:
    tracemalloc.start()
    try:
        unique_ids = [f"1732424{number:03}.M512330P4711Q3R9f8a6b5c.mx1,S=1432,W=1467" for number in range(300)]
        listings = KeptListings(kept).of(YASUHI, array("Q", [1467] * 300), unique_ids)
        assert listings.sizes_reply
        assert listings.unique_ids_reply
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken * 0.7 < kept.octets < taken * 1.5
