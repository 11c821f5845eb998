from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from spool import durable
from tests.crash.stopping import each_stop


def test_an_operation_is_stopped_after_each_of_its_changes_and_in_the_middle_of_a_write(tmp_path: Path) -> None:
    def prepare(number: int) -> Path:
        directory = tmp_path / str(number)
        directory.mkdir()
        return directory

    def create(directory: Path) -> Callable[[], object]:
        return lambda: durable.create_file(directory / "file", [b"abcd"])

    left = []
    for stopped in each_stop(prepare, create):
        left.append([path.read_bytes() for path in stopped.state.iterdir()])
        assert stopped.completed is (len(left) == 5)
    # after open, half a write, the whole write, fsync; and not stopped
    assert left == [[b""], [b"ab"], [b"abcd"], [b"abcd"], [b"abcd"]]


def test_what_is_arranged_before_the_operation_is_not_stopped(tmp_path: Path) -> None:
    def arrange(path: Path) -> Callable[[], object]:
        durable.create_file(path, [b"arranged"])
        return lambda: None

    (stopped,) = each_stop(lambda number: tmp_path / "file", arrange)
    assert stopped.completed
    assert (tmp_path / "file").read_bytes() == b"arranged"


def test_a_write_at_a_place_is_torn_at_its_middle(tmp_path: Path) -> None:
    def overwrite(path: Path) -> Callable[[], object]:
        descriptor = durable.open_for_update(path)
        return lambda: durable.write_at(descriptor, b"abcd", 1)

    def prepare(number: int) -> Path:
        (tmp_path / str(number)).write_bytes(b"......")
        return tmp_path / str(number)

    assert [stopped.state.read_bytes() for stopped in each_stop(prepare, overwrite)] == [
        b".ab...",
        b".abcd.",
        b".abcd.",
    ]


def test_an_operation_that_fails_fails_the_test(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="the operation failed"):
        list(each_stop(lambda number: tmp_path / "missing", lambda path: lambda: durable.rename(path, path)))


def test_the_parent_is_left_as_it_was(tmp_path: Path) -> None:
    list(each_stop(lambda number: tmp_path, lambda path: lambda: durable.sync_directory(path)))
    assert vars(durable)["os"] is os
