"""Tests of ``spool.carrying.maildir_files``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spool.carrying.flags import Flags
from spool.carrying.maildir_files import MaildirFiles, base_of, part_of
from spool.maildir.directories import Part
from spool.maildir.order import in_order
from tests.unit.spool.carrying.messages import NEW, SEEN, carried

NOW = 1500000000


def written(directory: Path, *seconds: float, flags: Flags = NEW) -> list[str]:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        files = MaildirFiles(clock_ns=lambda: NOW * 1_000_000_000)
        messages = [carried(b"Subject: x\n\n", flags=flags, seconds=second) for second in seconds]
        return [files.write(message, dict.fromkeys(Part, descriptor)) for message in messages]
    finally:
        os.close(descriptor)


def test_the_time_of_the_file_and_of_the_name_is_that_of_the_delivery(tmp_path: Path) -> None:
    [name] = written(tmp_path, 1000.5)
    assert name.startswith("1000.M500000P")
    assert name.endswith(",S=12,W=14")
    assert (tmp_path / name).stat().st_mtime == 1000.5
    assert (tmp_path / name).read_bytes() == b"Subject: x\n\n"


@pytest.mark.parametrize("seconds", [(1, 2, 3), (3, 2, 1), (5, 5, 5), (2 * NOW, 1, NOW), (0, 0, NOW)])
def test_names_keep_the_order_whatever_the_dates(tmp_path: Path, seconds: tuple[float, ...]) -> None:
    names = written(tmp_path, *seconds)
    assert in_order(names, lambda _base: None) == names
    assert [(tmp_path / name).stat().st_mtime for name in names] == list(seconds)
    assert all(int(name.partition(".")[0]) <= NOW for name in names)


def test_marks_are_in_the_name(tmp_path: Path) -> None:
    [name] = written(tmp_path, 1, flags=SEEN)
    assert name.endswith(":2,S")
    assert part_of(name) is Part.CUR
    assert part_of(base_of(name)) is Part.NEW
