"""Tests of ``spool.file_systems``."""

from __future__ import annotations

from pathlib import Path

import pytest

from spool.file_systems import Mount, Mounts, parse_mount_information

TABLE = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:5 / /proc rw - proc proc rw
30 22 0:40 / /home rw - autofs systemd-1 rw
31 30 0:45 / /home rw,nosuid shared:7 master:2 - nfs4 server:/export rw,addr=10.0.0.1
32 22 8:17 /sub /mail\040spool rw - xfs /dev/sdb1 rw
a line of another form
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "mountinfo").write_text(TABLE)
    return tmp_path / "mountinfo"


@pytest.mark.parametrize(
    ("path", "mount"),
    [
        ("/", Mount(Path("/"), "ext4", "8:1")),
        ("/etc/mailspool", Mount(Path("/"), "ext4", "8:1")),
        ("/homes/ann", Mount(Path("/"), "ext4", "8:1")),
        ("/home", Mount(Path("/home"), "nfs4", "0:45")),
        ("/home/a/ann/Maildir", Mount(Path("/home"), "nfs4", "0:45")),
        ("/proc/../home/ann", Mount(Path("/home"), "nfs4", "0:45")),
        ("/mail spool/a", Mount(Path("/mail spool"), "xfs", "8:17")),
    ],
)
def test_a_path_lies_on_the_mount_with_the_longest_name(table: Path, path: str, mount: Mount) -> None:
    assert Mounts(table).mount_of(Path(path)) == mount


def test_of_two_mounts_on_one_point_the_upper_one_is_visible(table: Path) -> None:
    assert [mount.fs_type for mount in Mounts(table).all()] == ["ext4", "proc", "nfs4", "xfs"]


def test_only_some_types_depend_on_another_machine() -> None:
    mounts = parse_mount_information(TABLE)
    assert mounts["/home"].network
    assert not mounts["/"].network


def test_a_table_without_a_root_answers_that_it_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_text("")
    assert Mounts(tmp_path / "mountinfo").mount_of(Path("/a")) == Mount(Path("/"), "unknown", "0:0")


def test_the_table_is_read_again_when_it_has_changed(table: Path) -> None:
    answers = [True, False, True]
    mounts = Mounts(table, changed=lambda: answers.pop(0))
    mounts.mount_of(Path("/home"))
    table.write_text(TABLE + "40 22 0:50 / /home/a rw - tmpfs tmpfs rw\n")
    assert mounts.mount_of(Path("/home/a/ann")).fs_type == "nfs4"
    assert mounts.mount_of(Path("/home/a/ann")).fs_type == "tmpfs"


def test_the_kernel_is_asked_once_whether_its_table_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Path] = []
    read_text = Path.read_text

    def counted(path: Path, *args: str) -> str:
        reads.append(path)
        return read_text(path, *args)

    monkeypatch.setattr(Path, "read_text", counted)
    mounts = Mounts()
    mounts.all()
    mounts.all()
    assert len(reads) == 1


def test_the_kernels_own_table_knows_proc() -> None:
    assert Mounts().mount_of(Path("/proc/self/mountinfo")).fs_type == "proc"
