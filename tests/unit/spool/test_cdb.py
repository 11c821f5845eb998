"""Tests of ``spool.cdb``."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

import cdbx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spool.cdb import RECORD_OCTETS_MAX, ConstantDatabase, TornDatabaseError, cdb_hash, cdb_hashes

VECTORS = [(b"", 5381), (b"!", 177540), (b"!joe\0", 98843780), (b"!joe-", 98843817)]


def database(records: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Make a database with the writer we use."""
    with os.fdopen(os.memfd_create("test"), "w+b") as file:
        maker = cdbx.CDB.make(file)
        for key, data in records:
            maker.add(key, data)
        maker.commit().close()
        file.seek(0)
        return file.read()


def opened(path: Path, octets: bytes) -> ConstantDatabase:
    path.write_bytes(octets)
    return ConstantDatabase(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.cdb"


@pytest.mark.parametrize(("key", "value"), VECTORS)
def test_the_hash_is_cdbs(key: bytes, value: int) -> None:
    assert cdb_hash(key) == value


@given(st.lists(st.binary(max_size=70) | st.just(b"\xff" * 40), max_size=20))
def test_many_keys_are_hashed_as_one_by_one(keys: list[bytes]) -> None:
    assert cdb_hashes(keys) == [cdb_hash(key) for key in keys]


def test_more_keys_than_are_hashed_at_once_are_hashed() -> None:
    keys = [b"%05d" % number for number in range(5000)]
    assert cdb_hashes(keys) == [cdb_hash(key) for key in keys]


@pytest.mark.parametrize("octets", [31, 32, 33, 300])
def test_long_keys_are_hashed_as_short_ones(octets: int) -> None:
    value = 5381
    for _ in range(octets):
        value = (value * 33 ^ 255) % 2**32
    assert cdb_hash(b"\xff" * octets) == value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.dictionaries(st.binary(max_size=20), st.binary(max_size=400), max_size=60))
def test_every_key_has_its_data_and_others_have_none(path: Path, records: Mapping[bytes, bytes]) -> None:
    found = opened(path, database(records.items()))
    assert {key: found.get(key) for key in records} == records
    assert found.get(b"a key of more than twenty octets") is None
    assert list(found) == list(records.items())


def test_the_first_of_equal_keys_wins(path: Path) -> None:
    assert opened(path, database([(b"k", b"one"), (b"k", b"two")])).get(b"k") == b"one"


def test_many_equal_keys_do_not_hide_another_that_follows_them(path: Path) -> None:
    # More than one read of slots, and wrapping around the table's end: all share the hash's table.
    same_table = [key for number in range(20_000) if cdb_hash(key := b"%d" % number) & 255 == 7][:60]
    found = opened(path, database([(key, key) for key in same_table]))
    assert all(found.get(key) == key for key in same_table)


def test_two_keys_with_one_hash_are_told_apart(path: Path) -> None:
    one, two = b"0@", b"1a"
    assert cdb_hash(one) == cdb_hash(two)
    found = opened(path, database([(one, b"1")]))
    assert found.get(two) is None


def test_a_record_longer_than_one_read_is_whole(path: Path) -> None:
    assert opened(path, database([(b"k", b"x" * 5000)])).get(b"k") == b"x" * 5000


def test_a_database_without_records_has_no_key(path: Path) -> None:
    found = opened(path, database([]))
    assert found.get(b"k") is None
    assert list(found) == []


def test_a_missing_file_is_an_error_of_the_system(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ConstantDatabase(path)


def test_a_fifo_is_no_database_and_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(TornDatabaseError, match="regular"):
        ConstantDatabase(path)


def test_closing_twice_is_harmless(path: Path) -> None:
    found = opened(path, database([]))
    found.close()
    found.close()


GOOD = database([(b"!user%d" % number, b"data%d" % number) for number in range(40)] + [(b"", b"-")])


@pytest.mark.parametrize("octets", [0, 1, 2047, 2048, 2100, len(GOOD) - 1])
def test_a_file_cut_short_is_torn(path: Path, octets: int) -> None:
    with pytest.raises(TornDatabaseError):
        opened(path, GOOD[:octets])


def test_a_file_added_to_is_torn(path: Path) -> None:
    with pytest.raises(TornDatabaseError):
        opened(path, GOOD + b"\0")


@pytest.mark.parametrize("octets", [b"\xff" * 5000, b"\0" * 2000, b"=joe:joe:1:1:/home/joe:::\n.\n" * 200])
def test_a_foreign_file_is_torn(path: Path, octets: bytes) -> None:
    with pytest.raises(TornDatabaseError):
        opened(path, octets)


def test_zeros_alone_are_a_database_without_records_only_at_their_exact_size(path: Path) -> None:
    with pytest.raises(TornDatabaseError):
        opened(path, b"\0" * 2047)
    assert opened(path, b"\0" * 4096).get(b"k") is None


def test_a_hash_table_of_zeros_is_torn_and_answers_nothing(path: Path) -> None:
    position, slots = struct.unpack_from("<II", GOOD, (cdb_hash(b"!user7") & 255) * 8)
    found = opened(path, GOOD[:position] + bytes(slots * 8) + GOOD[position + slots * 8 :])
    with pytest.raises(TornDatabaseError, match="not whole"):
        found.get(b"!user7")


def test_records_of_zeros_are_torn_and_answer_nothing(path: Path) -> None:
    end = min(struct.unpack_from("<I", GOOD, table * 8)[0] for table in range(256))
    found = opened(path, GOOD[:2048] + bytes(end - 2048) + GOOD[end:])
    with pytest.raises(TornDatabaseError, match="not the one"):
        found.get(b"!user7")


def test_a_hash_table_without_an_empty_slot_is_searched_once_and_torn(path: Path) -> None:
    position, slots = struct.unpack_from("<II", GOOD, (cdb_hash(b"!user7") & 255) * 8)
    full = struct.pack("<II", 1, 2048) * slots
    found = opened(path, GOOD[:position] + full + GOOD[position + slots * 8 :])
    with pytest.raises(TornDatabaseError, match="not whole"):
        found.get(b"!user7")


@pytest.mark.parametrize("record", [1, 2047, len(GOOD), 2**32 - 1])
def test_a_record_outside_the_records_is_torn(path: Path, record: int) -> None:
    position, slots = struct.unpack_from("<II", GOOD, (cdb_hash(b"!user7") & 255) * 8)
    astray = struct.pack("<II", cdb_hash(b"!user7"), record) * slots
    found = opened(path, GOOD[:position] + astray + GOOD[position + slots * 8 :])
    with pytest.raises(TornDatabaseError, match="outside"):
        found.get(b"!user7")


def test_a_record_that_says_it_is_huge_is_not_read(path: Path) -> None:
    octets = database([(b"k", b"x" * (RECORD_OCTETS_MAX + 1))])
    with pytest.raises(TornDatabaseError, match="longer"):
        opened(path, octets).get(b"k")


def test_hash_tables_that_reach_into_the_header_are_torn(path: Path) -> None:
    with pytest.raises(TornDatabaseError, match="end with the file"):
        opened(path, struct.pack("<II", 2040, 2) + bytes(2048))


def test_hash_tables_that_overlap_are_torn(path: Path) -> None:
    with pytest.raises(TornDatabaseError, match="side by side"):
        opened(path, struct.pack("<IIII", 2048, 2, 2056, 2) + bytes(2056))


def test_a_file_cut_while_it_is_open_is_torn(path: Path) -> None:
    found = opened(path, GOOD)
    os.truncate(path, 2048)
    with pytest.raises(TornDatabaseError, match="too early"):
        found.get(b"!user7")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=2000)
@given(st.data())
def test_hostile_octets_answer_an_original_record_or_an_error(path: Path, data: st.DataObject) -> None:
    octets = bytearray(GOOD)
    numbers = st.one_of(st.integers(0, 2**32 - 1), st.integers(0, len(GOOD)))
    for _ in range(data.draw(st.integers(1, 12))):
        place = data.draw(st.integers(0, len(GOOD) // 4 - 1)) * 4
        struct.pack_into("<I", octets, place, data.draw(numbers))
    try:
        found = opened(path, bytes(octets))
        for number in range(40):
            found.get(b"!user%d" % number)
        list(found)
    except TornDatabaseError:
        pass


def test_a_hash_table_found_whole_is_not_checked_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = opened(path, GOOD)
    positions: list[int] = []
    real = os.pread

    def pread(descriptor: int, octets: int, position: int) -> bytes:
        positions.append(position)
        return real(descriptor, octets, position)

    monkeypatch.setattr(os, "pread", pread)
    assert found.get(b"!nobody") is None
    first = len(positions)
    assert found.get(b"!nobody") is None
    assert len(positions) - first == first - 1
