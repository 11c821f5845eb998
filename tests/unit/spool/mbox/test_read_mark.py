from pathlib import Path

import pytest

from spool.mbox.read_mark import load_read_mark, save_read_mark
from spool.state import make_state_directory, state_file
from tests.unit.spool.mbox.mbox_files import location_of


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_state_directory(location_of(tmp_path))
    return tmp_path


def test_without_a_mark_nothing_was_read(home: Path) -> None:
    assert load_read_mark(location_of(home), ["a", "b"]) == 0


def test_the_mark_follows_its_message(home: Path) -> None:
    save_read_mark(location_of(home), "b")
    assert load_read_mark(location_of(home), ["a", "b", "c"]) == 2
    assert load_read_mark(location_of(home), ["b", "c"]) == 1
    assert load_read_mark(location_of(home), ["c"]) == 0


def test_a_shorter_mark_takes_the_place_of_a_longer_one(home: Path) -> None:
    save_read_mark(location_of(home), "x" * 70)
    assert load_read_mark(location_of(home), ["x" * 70]) == 1
    save_read_mark(location_of(home), "b")
    assert load_read_mark(location_of(home), ["x" * 70, "b"]) == 2


@pytest.mark.parametrize("damage", [b"", b"b", b"\xff\0\n", b"a" * 1000])
def test_a_damaged_mark_is_none_or_the_one_it_seems_to_be(home: Path, damage: bytes) -> None:
    state_file(location_of(home), ".read").write_bytes(damage)
    assert load_read_mark(location_of(home), ["a"]) == 0
