from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spool import durable
from tests.crash.losing import VARIANTS, Cut, each_power_cut

ALL_LOST, NAMES_KEPT, ZEROS_KEPT, OCTETS_KEPT = range(4)
OLD, NEW = b"old octets", b"new octets, more of them"


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[int], Path]:
    """Makes trees with a file ``old`` and the directories ``a`` and ``b``."""

    def make(number: int) -> Path:
        directory = tmp_path / str(number)
        for path in (directory, directory / "a", directory / "b"):
            path.mkdir()
        (directory / "old").write_bytes(OLD)
        return directory

    return make


def cuts(tree: Callable[[int], Path], operation: Callable[[Path], object]) -> list[Cut[Path]]:
    return list(each_power_cut(tree, lambda directory: lambda: operation(directory), root=lambda directory: directory))


def completed(tree: Callable[[int], Path], operation: Callable[[Path], object]) -> list[dict[str, bytes | str | None]]:
    """What each variant of the power cut after the operation leaves, besides what was there before."""
    return [left(cut.state) for cut in cuts(tree, operation) if cut.completed]


def left(directory: Path) -> dict[str, bytes | str | None]:
    """All there is: octets of files, targets of links, None for directories."""
    return {
        str(path.relative_to(directory)): str(path.readlink())
        if path.is_symlink()
        else None
        if path.is_dir()
        else path.read_bytes()
        for path in directory.rglob("*")
    }


BEFORE: dict[str, bytes | str | None] = {"old": OLD, "a": None, "b": None}


def calls() -> Any:
    """What ``spool.durable`` makes its system calls through, in the child the recording one."""
    return vars(durable)["os"]


def create(path: Path) -> None:
    durable.create_file(path, [NEW])


def append(path: Path) -> None:
    durable.write_all(durable.open_for_append(path), NEW)


# -- names ------------------------------------------------------------------------------------------------------------


def test_a_file_whose_directory_was_not_synced_may_be_lost(tree: Callable[[int], Path]) -> None:
    found = completed(tree, lambda directory: create(directory / "new"))
    assert found[ALL_LOST] == found[OCTETS_KEPT] == BEFORE
    assert found[NAMES_KEPT] == BEFORE | {"new": NEW}


def test_a_file_that_was_synced_with_its_directory_is_kept(tree: Callable[[int], Path]) -> None:
    def create_and_sync(directory: Path) -> None:
        create(directory / "new")
        durable.sync_directory(directory)

    assert completed(tree, create_and_sync) == [BEFORE | {"new": NEW}] * VARIANTS


def test_what_lies_in_a_directory_is_lost_with_its_name(tree: Callable[[int], Path]) -> None:
    def make(directory: Path) -> None:
        calls().mkdir(directory / "c")
        create(directory / "c" / "new")
        durable.sync_directory(directory / "c")

    found = completed(tree, make)
    assert found[ALL_LOST] == BEFORE
    assert found[NAMES_KEPT] == BEFORE | {"c": None, "c/new": NEW}


def test_a_removal_that_was_not_synced_may_be_undone(tree: Callable[[int], Path]) -> None:
    found = completed(tree, lambda directory: durable.remove(directory / "old"))
    assert found[ALL_LOST] == BEFORE
    assert found[NAMES_KEPT] == {"a": None, "b": None}


def test_a_removed_directory_may_come_back_empty(tree: Callable[[int], Path]) -> None:
    def remove(directory: Path) -> None:
        calls().rmdir(directory / "a")

    found = completed(tree, remove)
    assert found[ALL_LOST] == BEFORE
    assert found[NAMES_KEPT] == {"old": OLD, "b": None}


def test_a_symbolic_link_is_a_name(tree: Callable[[int], Path]) -> None:
    found = completed(tree, lambda directory: calls().symlink("old", directory / "link"))
    assert found[ALL_LOST] == BEFORE
    assert found[NAMES_KEPT] == BEFORE | {"link": "old"}


def test_a_second_name_leads_to_the_same_file(tree: Callable[[int], Path]) -> None:
    def link(directory: Path) -> None:
        calls().link(directory / "old", directory / "a" / "second")

    last = [cut.state for cut in cuts(tree, link) if cut.completed]
    assert left(last[ALL_LOST]) == BEFORE
    assert (last[NAMES_KEPT] / "old").samefile(last[NAMES_KEPT] / "a" / "second")


def test_a_rename_in_one_directory_leaves_one_of_the_names(tree: Callable[[int], Path]) -> None:
    found = completed(tree, lambda directory: durable.rename(directory / "old", directory / "new"))
    assert found[ALL_LOST] == BEFORE
    assert found[NAMES_KEPT] == {"new": OLD, "a": None, "b": None}
    assert all(len(each) == len(BEFORE) for each in found)


def test_a_rename_to_another_directory_leaves_one_name_or_both(tree: Callable[[int], Path]) -> None:
    names = [
        {name for name in left(cut.state) if name not in {"a", "b"}}
        for cut in each_power_cut(
            tree,
            lambda directory: lambda: durable.rename(directory / "old", directory / "a" / "new"),
            root=lambda directory: directory,
            variants=30,
        )
    ]
    assert {frozenset(each) for each in names} == {
        frozenset({"old"}),
        frozenset({"a/new"}),
        frozenset({"old", "a/new"}),
    }


def test_a_rename_is_lost_with_its_file_if_only_the_old_directory_was_synced(tree: Callable[[int], Path]) -> None:
    def rename(directory: Path) -> None:
        durable.rename(directory / "old", directory / "a" / "new")
        durable.sync_directory(directory)

    assert completed(tree, rename)[ALL_LOST] == {"a": None, "b": None}


def test_a_directory_that_was_renamed_has_one_name(tree: Callable[[int], Path]) -> None:
    def rename(directory: Path) -> None:
        durable.rename(directory / "a", directory / "b" / "a")
        durable.sync_directory(directory)

    moved = {"old": OLD, "b": None, "b/a": None}
    assert {frozenset(each) for each in completed(tree, rename)} == {frozenset(BEFORE), frozenset(moved)}


def test_a_file_that_was_replaced_may_come_back(tree: Callable[[int], Path]) -> None:
    def replace(directory: Path) -> None:
        create(directory / "new")
        durable.rename(directory / "new", directory / "old")

    found = completed(tree, replace)
    assert found[ALL_LOST] == BEFORE
    assert found[NAMES_KEPT] == BEFORE | {"old": NEW}


# -- octets -----------------------------------------------------------------------------------------------------------


def test_octets_that_were_not_synced_may_be_lost_or_zeros(tree: Callable[[int], Path]) -> None:
    found = completed(tree, lambda directory: append(directory / "old"))
    assert found[ALL_LOST] == found[NAMES_KEPT] == BEFORE
    assert found[ZEROS_KEPT] == BEFORE | {"old": OLD + bytes(len(NEW))}
    assert found[OCTETS_KEPT] == BEFORE | {"old": OLD + NEW}


def test_a_new_file_without_a_sync_may_be_empty(tree: Callable[[int], Path]) -> None:
    def write(directory: Path) -> None:
        descriptor = durable.open_for_append(directory / "new", create_mode=0o600)
        durable.write_all(descriptor, NEW)

    assert completed(tree, write)[NAMES_KEPT] == BEFORE | {"new": b""}


def test_one_of_two_writes_may_be_lost(tree: Callable[[int], Path]) -> None:
    def write(directory: Path) -> None:
        descriptor = durable.open_for_update(directory / "old")
        durable.write_at(descriptor, b"12", 0)

    octets = {
        (cut.state / "old").read_bytes()
        for cut in each_power_cut(
            tree, lambda directory: lambda: write(directory), root=lambda directory: directory, variants=30
        )
    }
    assert {b"old octets", b"1ld octets", b"o2d octets", b"12d octets"} == octets


def test_a_truncation_that_was_not_synced_may_be_undone(tree: Callable[[int], Path]) -> None:
    def cut_off(directory: Path) -> None:
        durable.truncate(durable.open_for_update(directory / "old"), 3)

    found = completed(tree, cut_off)
    assert found[ALL_LOST] == BEFORE
    assert found[OCTETS_KEPT] == BEFORE | {"old": OLD[:3]}


def test_octets_that_were_synced_are_kept(tree: Callable[[int], Path]) -> None:
    def append_and_sync(directory: Path) -> None:
        descriptor = durable.open_for_append(directory / "old")
        durable.write_all(descriptor, NEW)
        durable.sync_file(descriptor)
        durable.write_all(descriptor, b"lost")

    assert completed(tree, append_and_sync)[ALL_LOST] == BEFORE | {"old": OLD + NEW}


def test_a_file_that_was_changed_and_removed_comes_back_as_it_was(tree: Callable[[int], Path]) -> None:
    def change_and_remove(directory: Path) -> None:
        append(directory / "old")
        durable.remove(directory / "old")

    assert completed(tree, change_and_remove)[ALL_LOST] == BEFORE


def test_a_file_keeps_its_inode_and_its_time_where_its_change_is_lost(tree: Callable[[int], Path]) -> None:
    def prepare(number: int) -> tuple[Path, os.stat_result]:
        directory = tree(number)
        os.utime(directory / "old", ns=(10**18, 10**18))
        return directory, (directory / "old").stat()

    for cut in each_power_cut(prepare, lambda state: lambda: append(state[0] / "old"), root=lambda state: state[0]):
        directory, before = cut.state
        after = (directory / "old").stat()
        assert after.st_ino == before.st_ino
        assert cut.variant != ALL_LOST or after.st_mtime_ns == before.st_mtime_ns


# -- the runs ---------------------------------------------------------------------------------------------------------


def test_the_power_is_cut_after_each_file_operation_and_after_the_last(tree: Callable[[int], Path]) -> None:
    found = cuts(tree, lambda directory: create(directory / "new"))
    # after open, half a write, the whole write, fsync; and after all
    assert [(cut.allowed, cut.variant) for cut in found] == [(n, v) for n in range(1, 6) for v in range(VARIANTS)]
    assert [cut.completed for cut in found] == [False] * 4 * VARIANTS + [True] * VARIANTS
    kept = [left(cut.state)["new"] for cut in found if cut.variant == NAMES_KEPT]
    assert kept == [b"", b"", b"", NEW, NEW]


def test_what_is_arranged_is_on_disk(tree: Callable[[int], Path]) -> None:
    def arrange(directory: Path) -> Callable[[], object]:
        create(directory / "new")
        return lambda: None

    for cut in each_power_cut(tree, arrange, root=lambda directory: directory):
        assert left(cut.state) == BEFORE | {"new": NEW}


def test_changes_that_the_model_does_not_know_are_refused(tree: Callable[[int], Path]) -> None:
    with pytest.raises(AssertionError, match="the operation failed"):
        cuts(tree, lambda directory: calls().truncate(directory / "old", 0))


def test_files_beside_the_tree_are_left_alone(tree: Callable[[int], Path], tmp_path: Path) -> None:
    completed(tree, lambda directory: durable.replace_file(tmp_path / "beside", [NEW]))
    assert (tmp_path / "beside").read_bytes() == NEW
