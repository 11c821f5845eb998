from __future__ import annotations

import resource
from pathlib import Path

import pytest

from serving.resources import KernelLimits, Resources, claim_resources, network_file_system_warnings
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
    assert claim_resources(LIMITS, 2, kernel) == Resources(1000, ())
    assert kernel.get(resource.RLIMIT_NOFILE) == (FILES_NEEDED, 1_000_000)
    assert kernel.get(resource.RLIMIT_NPROC) == (PROCESSES_NEEDED, NONE)


@pytest.mark.parametrize("enough", [(NONE, NONE), (5000, 5000)])
def test_limits_that_suffice_are_left_alone(enough: tuple[int, int]) -> None:
    kernel = FakeKernel(enough, enough)
    assert claim_resources(LIMITS, 2, kernel) == Resources(1000, ())
    assert kernel.limits == {resource.RLIMIT_NOFILE: enough, resource.RLIMIT_NPROC: enough}


def test_where_the_settings_name_no_number_there_are_as_many_connections_as_files_allow() -> None:
    kernel = FakeKernel((1024, 4096), (NONE, NONE))
    assert claim_resources(LimitsSettings(threads=100, stuck_threads=50), 1, kernel) == Resources(1310, ())
    assert kernel.get(resource.RLIMIT_NOFILE) == (4096, 4096)


def test_there_are_never_more_than_10000_connections_unless_the_settings_say_so() -> None:
    kernel = FakeKernel((1024, 1_000_000), (NONE, NONE))
    assert claim_resources(LimitsSettings(), 1, kernel) == Resources(10_000, ())
    assert claim_resources(LimitsSettings(connections=20_000), 1, kernel) == Resources(20_000, ())


def test_hard_limits_that_are_too_low_are_warned_of_and_kept() -> None:
    kernel = FakeKernel((1024, 2048), (100, 200))
    claimed = claim_resources(LIMITS, 2, kernel)
    files, processes = claimed.warnings
    assert claimed.connections == 628
    assert files == (
        "RLIMIT_NOFILE lets a process open 2048 files, which is enough for 628 connections of each worker, not for "
        "1000: raise the limit to 3164 (LimitNOFILE= in a systemd unit)"
    )
    assert processes.startswith("RLIMIT_NPROC lets this uid have 200 processes and threads, but 2 workers")
    assert kernel.get(resource.RLIMIT_NOFILE) == (2048, 2048)


def test_room_for_few_connections_is_warned_of_and_there_is_always_one() -> None:
    claimed = claim_resources(LimitsSettings(), 1, FakeKernel((256, 256), (NONE, NONE)))
    assert claimed.connections == 1
    assert "enough for 1 connections" in claimed.warnings[0]


def test_a_process_that_may_hardly_open_files_does_not_start() -> None:
    with pytest.raises(SettingsError, match="RLIMIT_NOFILE: expected at least 256 open files a process, found 100"):
        claim_resources(LIMITS, 1, FakeKernel((100, 100), (NONE, NONE)))


def test_this_process_is_looked_at_by_default() -> None:
    small = LimitsSettings(connections=1, threads=1, stuck_threads=1)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert claim_resources(small, 1) == Resources(1, ())
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
