from __future__ import annotations

import os
from pathlib import Path

import pytest

from spool.stamps import SETTLED_NS, Stamp, stamp_of, stamp_of_file

LONG_AGO = 1_000_000_000_000_000_000


def test_a_stamp_differs_after_each_kind_of_change(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a")
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    stamps = [stamp_of_file(path)]
    path.write_bytes(b"ab")
    stamps.append(stamp_of_file(path))
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    stamps.append(stamp_of_file(path))
    other = tmp_path / "other"
    other.write_bytes(b"ab")
    os.utime(other, ns=(LONG_AGO, LONG_AGO))
    other.rename(path)
    stamps.append(stamp_of_file(path))
    assert len(set(stamps)) == 4


def test_a_stamp_of_an_open_file_is_that_of_its_path(tmp_path: Path) -> None:
    with (tmp_path / "file").open("xb") as file:
        assert stamp_of(os.fstat(file.fileno())) == stamp_of_file(tmp_path / "file")


def test_what_is_missing_has_no_stamp_and_what_cannot_be_looked_at_is_an_error(tmp_path: Path) -> None:
    assert stamp_of_file(tmp_path / "missing") is None
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        stamp_of_file(tmp_path / "file" / "below")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    assert stamp_of_file(tmp_path / "link") != stamp_of_file(tmp_path / "file")


@pytest.mark.parametrize(
    ("mtime_ns", "ctime_ns", "settled"),
    [
        (0, 0, True),
        (LONG_AGO - SETTLED_NS, LONG_AGO - SETTLED_NS, True),
        (0, LONG_AGO - SETTLED_NS + 1, False),
        (LONG_AGO - SETTLED_NS + 1, 0, False),
        (LONG_AGO + 1, LONG_AGO + 1, False),
    ],
)
def test_a_stamp_is_settled_when_the_last_change_lies_back_two_seconds(
    mtime_ns: int, ctime_ns: int, settled: bool
) -> None:
    assert Stamp(1, 2, 3, mtime_ns, ctime_ns).is_settled(LONG_AGO) is settled
