from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from popd.pop3.listings import Listings
from popd.pop3.maildrop_view import MaildropView
from popd.pop3.steps import Snapshot


def view(*octets: int, last_accessed: int = 0) -> MaildropView:
    return MaildropView(Snapshot(Listings(octets, [f"id{n}" for n in range(1, len(octets) + 1)]), last_accessed))


def test_all_messages_are_in_view_at_first() -> None:
    drop = view(120, 200)
    assert (len(drop), drop.octets, list(drop)) == (2, 320, [1, 2])


@pytest.mark.parametrize("number", [-1, 0, 3, 2**40])
def test_numbers_outside_are_not_in_view(number: int) -> None:
    assert number not in view(120, 200)


def test_a_deleted_message_is_hidden_everywhere_and_no_number_shifts() -> None:
    drop = view(120, 200, 50)
    drop.delete(2)
    assert (len(drop), drop.octets, list(drop)) == (2, 170, [1, 3])
    assert 2 not in drop
    assert drop.list_sizes() == b"+OK 2 messages (170 octets)\r\n1 120\r\n3 50\r\n.\r\n"
    assert drop.list_unique_ids() == b"+OK unique-ids follow\r\n1 id1\r\n3 id3\r\n.\r\n"


def test_reset_brings_back_the_listings() -> None:
    drop = view(120, 200)
    before = (drop.list_sizes(), drop.list_unique_ids())
    drop.delete(1)
    assert (drop.list_sizes(), drop.list_unique_ids()) != before
    drop.reset()
    assert (drop.list_sizes(), drop.list_unique_ids()) == before


def test_a_listing_is_built_once() -> None:
    drop = view(120, 200)
    for _ in range(2):
        assert drop.list_sizes() is drop.list_sizes()
        assert drop.list_unique_ids() is drop.list_unique_ids()
        drop.delete(1)
        drop.reset()
        drop.delete(2)


def test_an_empty_maildrop_lists_nothing() -> None:
    assert view().list_sizes() == b"+OK 0 messages (0 octets)\r\n.\r\n"
    assert view().list_unique_ids() == b"+OK unique-ids follow\r\n.\r\n"


def test_a_message_of_no_octets_is_listed() -> None:
    assert view(0).list_sizes() == b"+OK 1 messages (0 octets)\r\n1 0\r\n.\r\n"


def test_unique_ids_are_no_templates() -> None:
    drop = MaildropView(Snapshot(Listings([1], ["%s%n{0}%d"])))
    assert drop.list_unique_ids() == b"+OK unique-ids follow\r\n1 %s%n{0}%d\r\n.\r\n"
    assert drop.unique_id(1) == "%s%n{0}%d"


def test_the_highest_number_accessed_never_falls_but_by_reset() -> None:
    drop = view(1, 1, 1, 1, last_accessed=1)
    seen = [drop.last_accessed]
    for act in (drop.retrieve, drop.delete):
        act(3 if act == drop.retrieve else 2)
        seen.append(drop.last_accessed)
    drop.delete(4)
    seen.append(drop.last_accessed)
    drop.reset()
    seen.append(drop.last_accessed)
    assert seen == [1, 3, 3, 4, 1]


def test_retrieved_messages_are_remembered_over_a_reset() -> None:
    drop = view(1, 1)
    drop.retrieve(2)
    drop.reset()
    assert drop.retrieved == {2}


def test_read_only_is_the_snapshots() -> None:
    assert MaildropView(Snapshot(Listings([], []), read_only=True)).read_only
    assert not view().read_only


@given(st.lists(st.integers(0, 10**10), max_size=12), st.lists(st.integers(1, 12), unique=True))
def test_counts_and_listings_agree(octets: list[int], deletions: list[int]) -> None:
    drop = view(*octets)
    for number in deletions:
        if number in drop:
            drop.delete(number)
    status, *lines, dot, _ = drop.list_sizes().split(b"\r\n")
    listed = {int(line.split()[0]): int(line.split()[1]) for line in lines}
    assert list(listed) == list(drop) == [n for n in range(1, len(octets) + 1) if n not in deletions]
    assert all(drop.size(number) == size for number, size in listed.items())
    assert (len(drop), drop.octets) == (len(listed), sum(listed.values()))
    assert (status, dot) == (b"+OK %d messages (%d octets)" % (len(drop), drop.octets), b".")
