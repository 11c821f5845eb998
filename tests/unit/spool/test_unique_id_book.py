from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.unique_id_book import RETIRED_MAX, UniqueIdBook, is_unique_id

HEADER = b"mailspool-unique-ids 1\n"


class File:
    """What the file holds; each book is read from it, and what it changes goes behind what it read."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = data

    def save(self, book: UniqueIdBook) -> None:
        if changes := book.changes():
            self.data = self.data[: book.whole_octets] + changes

    def assign(self, *keys: str) -> Sequence[str]:
        book = UniqueIdBook(self.data)
        ids = book.assign(keys)
        self.save(book)
        return ids

    def announce_removal(self, *ids: str) -> None:
        book = UniqueIdBook(self.data)
        book.announce_removal(ids)
        self.save(book)

    def retire(self, *ids: str) -> None:
        book = UniqueIdBook(self.data)
        book.retire(ids)
        self.save(book)

    def import_ids(self, **ids_by_key: Sequence[str]) -> None:
        book = UniqueIdBook(self.data)
        book.import_ids(ids_by_key)
        self.save(book)


@pytest.mark.parametrize("text", ["a", "!", "~" * 70])
def test_one_to_seventy_printable_octets_are_a_unique_id(text: str) -> None:
    assert is_unique_id(text)


@pytest.mark.parametrize("text", ["", " ", "a b", "~" * 71, "\x7f", "é", "a\n"])
def test_nothing_else_is_a_unique_id(text: str) -> None:
    assert not is_unique_id(text)


def test_a_key_is_its_message_s_unique_id_and_nothing_is_written() -> None:
    file = File()
    assert file.assign("a", "b") == ["a", "b"]
    assert file.data == b""


def test_equal_copies_get_different_ids_in_their_order() -> None:
    file = File()
    assert file.assign("a", "b", "a", "a") == ["a", "b", "a-2", "a-3"]
    assert file.data == HEADER + b"+a\n+a-2 a\n+a-3 a\n"


def test_copies_keep_their_ids_when_more_arrive() -> None:
    file = File()
    assert file.assign("a") == ["a"]
    assert file.assign("a", "a") == ["a", "a-2"]
    assert file.assign("a", "a", "a") == ["a", "a-2", "a-3"]


def test_a_copy_keeps_its_id_when_the_one_before_it_is_removed() -> None:
    file = File()
    file.assign("a", "a")
    file.announce_removal("a")
    file.retire("a")
    assert file.assign("a") == ["a-2"]


def test_a_crash_between_removal_and_noting_it_changes_no_id() -> None:
    file = File()
    file.assign("a", "a", "a")
    file.announce_removal("a-2")
    assert file.assign("a", "a") == ["a", "a-3"]
    assert file.assign("a", "a", "a") == ["a", "a-3", "a-4"]


def test_an_announced_removal_that_did_not_happen_changes_no_id() -> None:
    file = File()
    file.assign("a", "a")
    file.announce_removal("a")
    assert file.assign("a", "a") == ["a", "a-2"]
    assert file.assign("a") == ["a"]


def test_the_removal_of_a_single_message_needs_no_announcement() -> None:
    file = File()
    file.import_ids(a=["old"])
    before = file.data
    file.announce_removal("old", "never-seen")
    assert file.data == before


def test_the_id_of_a_removed_message_is_not_given_to_an_equal_one_that_comes_later() -> None:
    file = File()
    file.retire("a")
    assert file.assign("a") == ["a-2"]
    file.retire("a-2")
    assert file.assign("a") == ["a-3"]


def test_a_message_that_another_program_took_out_and_put_back_keeps_its_id() -> None:
    file = File()
    file.assign("a", "a")
    file.assign()
    assert file.assign("a", "a") == ["a", "a-2"]


def test_imported_ids_override_the_key() -> None:
    file = File()
    file.import_ids(a=["17.4"], b=["17.5", "17.9"])
    assert file.assign("a", "b", "c", "b") == ["17.4", "17.5", "c", "17.9"]


def test_a_second_import_replaces_the_first() -> None:
    file = File()
    file.import_ids(a=["1"])
    file.import_ids(a=["2"])
    assert file.assign("a") == ["2"]


def test_an_id_imported_for_another_key_moves_there() -> None:
    file = File()
    file.import_ids(a=["1", "2"])
    file.import_ids(b=["1"])
    assert file.assign("a", "b") == ["2", "1"]


def test_a_message_whose_key_was_imported_for_another_gets_a_different_id() -> None:
    file = File()
    file.import_ids(a=["b"])
    assert file.assign("a", "b") == ["b", "b-2"]
    assert file.assign("b") == ["b-2"]


def added(data: bytes, arriving: Sequence[tuple[str, str]], *present: str) -> UniqueIdBook:
    book = UniqueIdBook(data)
    book.add_ids(arriving, present)
    return book


def test_an_arriving_copy_gets_its_id_behind_those_that_are_there() -> None:
    book = added(b"", [("a", "1"), ("b", "2"), ("a", "3")], "a")
    assert book.assign(["a", "b", "a", "a"]) == ["a", "2", "1", "3"]


def test_what_an_absent_message_had_does_not_become_an_arriving_one_s() -> None:
    book = added(b"mailspool-unique-ids 1\n+old a\n", [("a", "new")])
    assert book.assign(["a"]) == ["new"]
    assert book.retired() == ("old",)


@pytest.mark.parametrize(
    ("data", "unique_id"),
    [
        (b"mailspool-unique-ids 1\n-x\n", "x"),  # retired
        (b"mailspool-unique-ids 1\n+x other\n", "x"),  # another message's
        (b"", "present"),  # a present message's own
        (b"", "no id"),
    ],
)
def test_an_arriving_message_takes_nobody_s_id(data: bytes, unique_id: str) -> None:
    assert added(data, [("a", unique_id)], "present").assign(["present", "a"]) == ["present", "a"]


def test_of_two_arriving_messages_with_one_id_the_first_gets_it_even_if_it_is_added_again() -> None:
    book = added(b"", [("a", "1"), ("b", "1")])
    book.add_ids([("a", "1"), ("b", "1")], [])
    assert book.assign(["a", "b"]) == ["1", "b"]


def test_a_key_that_looks_like_an_ordinal_is_nobody_else_s_id() -> None:
    file = File()
    assert file.assign("a", "a", "a-2") == ["a", "a-3", "a-2"]


def test_ids_of_long_keys_stay_within_seventy_octets() -> None:
    key = "k" * 70
    assert File().assign(key, key) == [key, "k" * 68 + "-2"]


@pytest.mark.parametrize("ids", [["a", "a"], [""], ["a b"], ["x" * 71]])
def test_what_is_no_unique_id_is_not_imported(ids: list[str]) -> None:
    with pytest.raises(ValueError, match="of its own"):
        UniqueIdBook(b"").import_ids({"key": ids})


def test_a_key_that_is_no_unique_id_is_not_imported() -> None:
    with pytest.raises(ValueError, match="of its own"):
        UniqueIdBook(b"").import_ids({"two\nlines": ["a"]})


@pytest.mark.parametrize("torn", [b"+c", b"\0\0\0", b"\0\0\0c\n-a-2\n", b"-a-2", b"\xff"])
def test_a_torn_last_line_says_nothing_and_is_cut_off(torn: bytes) -> None:
    file = File()
    file.assign("a", "a")
    whole = file.data
    file.data += torn
    assert file.assign("a", "a") == ["a", "a-2"]
    assert file.data == whole + torn
    file.retire("a")
    assert file.data == whole + b"-a\n"


@pytest.mark.parametrize("data", [b"", HEADER[:5], HEADER[:-1], HEADER[:5] + b"\0" * 18 + b"+a\n", b"\0" * 100])
def test_a_file_torn_in_its_first_line_is_as_good_as_new(data: bytes) -> None:
    file = File(data)
    assert file.assign("a", "a") == ["a", "a-2"]
    assert file.data.startswith(HEADER + b"+a\n")


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"From yasuhi Thu Jan  1 00:00:00 1970\n", 1),
        (HEADER + b"+a\nb\n", 3),
        (HEADER + b"\n", 2),
        (HEADER + b"+a b c\n", 2),
        (HEADER + b"+" + b"x" * 71 + b"\n", 2),
        (HEADER + b"+a\r\n", 2),
        (HEADER + b"+\xe9\n", 2),
        (HEADER + b"+a\n+b\n*c\n+d", 4),
    ],
)
def test_what_we_did_not_write_is_an_error_that_names_the_line(data: bytes, line: int) -> None:
    with pytest.raises(ValueError, match=f"line {line}: "):
        UniqueIdBook(data)


def test_a_line_of_one_id_for_two_keys_counts_for_the_later() -> None:
    assert File(HEADER + b"+x a\n+x b\n").assign("a", "b") == ["a", "x"]


def test_a_compacted_file_says_the_same_of_what_is_in_the_mailbox() -> None:
    file = File()
    file.assign("a", "a", "a")
    file.import_ids(b=["old"])
    file.announce_removal("a-2")
    for number in range(3 * RETIRED_MAX):
        file.data += f"-gone{number}\n".encode()
    book = UniqueIdBook(file.data)
    assert book.is_crowded(["a", "a", "a", "b"])
    file.data = book.compacted(["a", "a", "a", "b"])
    assert len(file.data.split(b"\n")) == RETIRED_MAX + 7
    assert file.assign("a", "a", "b") == ["a", "a-3", "old"]
    assert file.assign(f"gone{3 * RETIRED_MAX - 1}", "gone0") == [f"gone{3 * RETIRED_MAX - 1}-2", "gone0"]


def test_a_compacted_file_forgets_the_oldest_of_the_absent_messages() -> None:
    file = File()
    file.import_ids(**{f"k{number}": [f"old{number}"] for number in range(2 * RETIRED_MAX + 1)})
    book = UniqueIdBook(file.data)
    assert not book.is_crowded(["k5"])
    assert book.is_crowded([])
    file.data = book.compacted([])
    assert file.assign("k0", f"k{2 * RETIRED_MAX}") == ["k0", f"old{2 * RETIRED_MAX}"]


@given(st.data())
def test_all_ids_differ_and_stay_while_copies_come_and_go(data: st.DataObject) -> None:
    file = File()
    mailbox: list[tuple[str, str]] = []  # key and id
    used: set[str] = set()
    for _ in range(data.draw(st.integers(1, 8))):
        arrived = data.draw(st.lists(st.sampled_from(["a", "a-2", "b"]), max_size=4))
        ids = file.assign(*(key for key, _ in mailbox), *arrived)
        assert [unique_id for _, unique_id in mailbox] == list(ids[: len(mailbox)])
        assert len(set(ids)) == len(ids)
        assert used.isdisjoint(ids)
        mailbox = list(zip([*(key for key, _ in mailbox), *arrived], ids, strict=True))
        removed = {unique_id for unique_id in ids if data.draw(st.booleans())}
        if removed:
            file.announce_removal(*removed)
            if data.draw(st.booleans(), label="crash before the removal"):
                continue
            mailbox = [message for message in mailbox if message[1] not in removed]
            file.retire(*removed)
            used |= removed
