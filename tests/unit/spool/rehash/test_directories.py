"""Tests of ``spool.rehash.directories``."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from spool import durable
from spool.rehash.directories import HashDirectories, device_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "mail"
    root.mkdir()
    root.chmod(0o751)
    return root


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_missing_directories_are_made_like_the_root(root: Path) -> None:
    directories = HashDirectories(root)
    directories.make(str(root / "u" / "s"))
    directories.make(str(root / "u" / "s"))
    assert [mode_of(root / "u"), mode_of(root / "u" / "s")] == [0o751, 0o751]


def test_a_file_in_the_way_of_a_directory_is_an_error(root: Path) -> None:
    (root / "u").touch()
    with pytest.raises(FileExistsError):
        HashDirectories(root).make(str(root / "u"))


def test_directories_elsewhere_are_made_like_another_one(root: Path) -> None:
    like = root.parent / "out" / "l"
    like.mkdir(parents=True)
    like.chmod(0o770)
    HashDirectories(root).make(str(root.parent / "out" / "u"), like=str(like))
    assert mode_of(root.parent / "out" / "u") == 0o770


def test_each_file_system_is_synced_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(durable, "sync_file_system", synced.append)

    for name in ("a", "b", "c2"):
        (root / name).mkdir()
    directories = HashDirectories(root, device_of=lambda directory: 2 if directory.endswith("2") else 1)
    for name in ("a", "b", "c2", "gone"):
        directories.touched(str(root / name))
    directories.sync()
    directories.sync()
    assert len(synced) == 2
    assert root / "c2" in synced


def test_empty_directories_go_up_to_the_root(root: Path) -> None:
    (root / "u" / "s").mkdir(parents=True)
    (root / "u" / "t").mkdir()
    (root / "v" / "w").mkdir(parents=True)
    (root / "v" / "file").touch()
    HashDirectories(root).remove_empty(str(root / name) for name in ("u/s", "u/t", "v/w", "missing"))
    assert [path.name for path in root.iterdir()] == ["v"]
    assert root.is_dir()


def test_a_directory_that_is_a_link_stays(root: Path) -> None:
    (root / "d").symlink_to(root.parent)
    HashDirectories(root).remove_empty([str(root / "d")])
    assert (root / "d").is_symlink()


def test_links_lead_to_what_is_below_the_root_by_a_way_up(root: Path) -> None:
    directories = HashDirectories(root)
    assert directories.text_of_link(root / "l" / "joe", root / "u" / "s" / "joe") == "../u/s/joe"
    assert directories.text_of_link(root / "joe", root / "l" / "joe") == "l/joe"
    assert directories.text_of_link(root / "l" / "joe", root.parent / "joe") == str(root.parent / "joe")


def test_the_file_system_of_what_is_missing_is_that_of_what_it_would_be_made_in(root: Path) -> None:
    directories = HashDirectories(root)
    assert directories.device_below(str(root / "u" / "s")) == device_of(str(root))
    assert directories.device_below("/missing") == device_of("/")
