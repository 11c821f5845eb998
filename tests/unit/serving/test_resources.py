from __future__ import annotations

import resource
from pathlib import Path

import pytest

from serving.resources import KernelLimits, check_resource_limits, network_file_system_warnings
from serving.settings import LimitsSettings
from spool.errors import SettingsError
from spool.file_systems import Mount

LIMITS = LimitsSettings(connections=1000, threads=100, stuck_threads=50)
FILES_NEEDED = 3 * 1000 + 100 + 64
PROCESSES_NEEDED = 2 * 101 + 32
NONE = resource.RLIM_INFINITY


class FakeKernel(KernelLimits):
    """Limits in a dictionary."""

    def __init__(self, files: tuple[int, int], processes: tuple[int, int]) -> None:
        self.limits = {resource.RLIMIT_NOFILE: files, resource.RLIMIT_NPROC: processes}

    def get(self, limit: int) -> tuple[int, int]:
        return self.limits[limit]

    def set(self, limit: int, soft: int, hard: int) -> None:
        self.limits[limit] = soft, hard


def test_soft_limits_are_raised_to_what_is_needed() -> None:
    kernel = FakeKernel((1024, 1_000_000), (100, NONE))
    assert check_resource_limits(LIMITS, 2, kernel) == ()
    assert kernel.get(resource.RLIMIT_NOFILE) == (FILES_NEEDED, 1_000_000)
    assert kernel.get(resource.RLIMIT_NPROC) == (PROCESSES_NEEDED, NONE)


@pytest.mark.parametrize("enough", [(NONE, NONE), (5000, 5000)])
def test_limits_that_suffice_are_left_alone(enough: tuple[int, int]) -> None:
    kernel = FakeKernel(enough, enough)
    assert check_resource_limits(LIMITS, 2, kernel) == ()
    assert kernel.limits == {resource.RLIMIT_NOFILE: enough, resource.RLIMIT_NPROC: enough}


def test_hard_limits_that_are_too_low_are_warned_of_with_what_would_fit() -> None:
    kernel = FakeKernel((1024, 2048), (100, 200))
    files, processes = check_resource_limits(LIMITS, 2, kernel)
    assert files.startswith(
        "RLIMIT_NOFILE lets a process open 2048 files, but [limits] connections = 1000 may need 3164"
    )
    assert files.endswith("set connections = 628")
    assert processes.startswith("RLIMIT_NPROC lets this uid have 200 processes and threads, but 2 workers")
    assert kernel.get(resource.RLIMIT_NOFILE) == (2048, 2048)


def test_the_advice_is_never_to_serve_nobody() -> None:
    warnings = check_resource_limits(LimitsSettings(), 1, FakeKernel((256, 256), (NONE, NONE)))
    assert warnings[0].endswith("set connections = 1")


def test_a_process_that_may_hardly_open_files_does_not_start() -> None:
    with pytest.raises(SettingsError, match="RLIMIT_NOFILE: expected at least 256 open files a process, found 100"):
        check_resource_limits(LIMITS, 1, FakeKernel((100, 100), (NONE, NONE)))


def test_this_process_is_looked_at_by_default() -> None:
    small = LimitsSettings(connections=1, threads=1, stuck_threads=1)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert check_resource_limits(small, 1) == ()
    kernel = KernelLimits()
    kernel.set(resource.RLIMIT_NOFILE, *before)
    assert kernel.get(resource.RLIMIT_NOFILE) == before


def mounts(*found: tuple[str, str]) -> list[Mount]:
    return [Mount(Path(mount_point), fs_type, "0:1") for mount_point, fs_type in found]


def test_a_spool_on_local_disks_is_not_warned_of() -> None:
    table = mounts(("/", "ext4"), ("/mail", "xfs"), ("/media/nfs", "nfs4"))
    assert network_file_system_warnings(Path("/mail"), table) == ()


def test_a_spool_on_a_network_file_system_is_warned_of() -> None:
    [warning] = network_file_system_warnings(Path("/mail/spool"), mounts(("/mail", "nfs4"), ("/", "ext4")))
    assert warning.startswith("/mail is a network file system (nfs4)")


def test_a_network_file_system_above_a_local_one_does_not_matter() -> None:
    assert network_file_system_warnings(Path("/mail/spool"), mounts(("/", "nfs"), ("/mail", "ext4"))) == ()


def test_network_file_systems_below_the_spool_root_are_warned_of() -> None:
    table = mounts(("/", "ext4"), ("/mail/b", "nfs"), ("/mail/a", "cifs"), ("/mailing", "nfs"))
    warnings = network_file_system_warnings(Path("/mail"), table)
    assert [warning.partition(" ")[0] for warning in warnings] == ["/mail/a", "/mail/b"]
