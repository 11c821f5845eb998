"""Tests of ``spool.moved_homes``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spool.moved_homes import home_behind, way_up


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "mail"
    (root / "l").mkdir(parents=True)
    (root / "u" / "s").mkdir(parents=True)
    return root


def linked(root: Path, target: str) -> Path:
    link = root / "l" / "joe"
    link.symlink_to(target)
    return link


def test_the_way_up_is_as_long_as_the_directory_is_deep(root: Path) -> None:
    assert way_up(str(root / "u" / "s"), str(root)) == "../../"
    assert way_up(str(root), str(root)) == ""


def test_there_is_no_way_up_from_outside_of_the_root(root: Path) -> None:
    assert way_up(str(root.parent), str(root)) == f"{root}/"


def test_there_is_no_way_up_through_a_directory_that_is_a_link(root: Path) -> None:
    (root.parent / "disk" / "s").mkdir(parents=True)
    (root / "d").symlink_to(root.parent / "disk")
    assert way_up(str(root / "d" / "s"), str(root)) == f"{root}/"


@pytest.mark.parametrize("target", ["../u/s/joe", "{root}/u/s/joe"])
def test_a_link_to_a_place_below_the_root_tells_where_a_home_is(root: Path, target: str) -> None:
    assert home_behind(linked(root, target.format(root=root)), root) == root / "u" / "s" / "joe"


@pytest.mark.parametrize("target", ["../../elsewhere/joe", "/etc", "..", "../../mail2/joe", "../u/../../elsewhere"])
def test_a_link_that_leads_out_of_the_root_tells_nothing(root: Path, target: str) -> None:
    assert home_behind(linked(root, target), root) is None


def test_a_link_of_somebody_else_tells_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = linked(root, "../u/s/joe")
    status = os.lstat(link)

    class Theirs:
        st_uid = status.st_uid + 1

    monkeypatch.setattr(Path, "lstat", lambda _path: Theirs())
    assert home_behind(link, root) is None


def test_what_is_no_link_or_is_missing_tells_nothing(root: Path) -> None:
    assert home_behind(root / "l", root) is None
    assert home_behind(root / "missing", root) is None


def test_a_root_that_is_written_with_dots_is_the_same_root(root: Path) -> None:
    dotted = root.parent / "x" / ".." / "mail"
    (root.parent / "x").mkdir()
    linked(root, "../u/s/joe")
    assert home_behind(dotted / "l" / "joe", dotted) == dotted / "u" / "s" / "joe"
