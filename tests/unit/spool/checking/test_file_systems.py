"""Tests of ``spool.checking.file_systems``."""

from __future__ import annotations

import os

from tests.unit.spool.checking.made_site import MadeSite


def test_a_network_file_system_is_noted_once(made: MadeSite) -> None:
    made.mounts = f"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:9 / {made.root} rw - nfs4 server:/mail rw\n"
    (told,), summary = made.check()
    assert (told.finding.kind.name, told.finding.path, told.finding.detail) == (
        "network-file-system",
        made.root,
        "nfs4",
    )
    assert not summary.needs_person


def test_a_disk_without_room_needs_a_person(made: MadeSite) -> None:
    made.room = os.statvfs_result((4096, 4096, 1000, 900, 49, 1000, 900, 49, 0, 255))
    told, summary = made.check()
    assert [each.finding.detail for each in told] == ["4.9% of its space is free", "4.9% of its inodes is free"]
    assert summary.needs_person


def test_a_file_system_without_a_number_of_inodes_has_enough(made: MadeSite) -> None:
    made.room = os.statvfs_result((4096, 4096, 1000, 900, 50, 0, 0, 0, 0, 255))
    assert made.kinds() == []
