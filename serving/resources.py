"""What the kernel lets this site have, compared with what its settings promise; looked at once, before the first fork.

Soft limits are raised as far as the hard ones go, which needs no privilege, and children inherit them.
"""

from __future__ import annotations

import resource
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from serving.settings import LimitsSettings
from spool.errors import SettingsError
from spool.file_systems import Mount

FILES_PER_CONNECTION: Final = 3  # its socket; its session lock; one open message or mbox
FILES_BESIDE: Final = 64  # listening sockets, control channels, libraries, logs
FILES_MIN: Final = 256  # below this not even a small site can be served
CONNECTIONS_MAX: Final = 10_000  # of one worker, unless the settings say more
CONNECTIONS_FEW: Final = 250  # a limit on files that leaves less than this is worth a warning
PROCESSES_BESIDE: Final = 32  # supervisor, authenticator and its hashers and checkers


class KernelLimits:
    """The resource limits of this process, so that a test can put others in their place."""

    def get(self, limit: int) -> tuple[int, int]:
        """Soft and hard limit; ``resource.RLIM_INFINITY`` for none."""
        return resource.getrlimit(limit)

    def set(self, limit: int, soft: int, hard: int) -> None:
        """Change them."""
        resource.setrlimit(limit, (soft, hard))


@dataclass(frozen=True, slots=True)
class Resources:
    """What the kernel grants: ``connections`` of each worker, so that none runs out of files, and what to warn of."""

    connections: int
    warnings: tuple[str, ...]


def claim_resources(limits: LimitsSettings, workers: int, kernel: KernelLimits | None = None) -> Resources:
    """Raise the limits on open files and on processes to what the settings need.

    Args:
        limits: how many connections and threads a worker may have.
        workers: how many there are.
        kernel: whose limits; this process's if None.

    Raises:
        SettingsError: so few files may be open that nothing can be served.
    """
    kernel = kernel or KernelLimits()
    connections, files_warning = _connections(limits, kernel)
    warnings = [] if files_warning is None else [files_warning]
    # The kernel counts threads, and all of the uid's, ours or not: so this is the least that is needed.
    needed = workers * (limits.threads + 1) + PROCESSES_BESIDE
    processes = _raise_to(kernel, resource.RLIMIT_NPROC, needed)
    if processes < needed:
        warnings.append(
            f"RLIMIT_NPROC lets this uid have {processes} processes and threads, but {workers} workers with [limits] "
            f"threads = {limits.threads} may need {needed}: raise the limit (LimitNPROC= in a systemd unit)"
        )
    return Resources(connections, tuple(warnings))


def _connections(limits: LimitsSettings, kernel: KernelLimits) -> tuple[int, str | None]:
    """How many connections of a worker the limit on open files has room for, and what is wrong with that."""
    wanted = CONNECTIONS_MAX if limits.connections is None else limits.connections
    needed = wanted * FILES_PER_CONNECTION + limits.threads + FILES_BESIDE
    files = _raise_to(kernel, resource.RLIMIT_NOFILE, needed)
    if files < (least := min(FILES_MIN, needed)):
        raise SettingsError(f"RLIMIT_NOFILE: expected at least {least} open files a process, found {files}")
    possible = max(1, (files - limits.threads - FILES_BESIDE) // FILES_PER_CONNECTION)
    if possible >= wanted:
        return wanted, None
    if limits.connections is None and possible >= CONNECTIONS_FEW:
        return possible, None
    return possible, (
        f"RLIMIT_NOFILE lets a process open {files} files, which is enough for {possible} connections of each worker, "
        f"not for {wanted}: raise the limit to {needed} (LimitNOFILE= in a systemd unit)"
    )


def network_file_system_warnings(spool_root: Path, mounts: Iterable[Mount]) -> tuple[str, ...]:
    """Name the network file systems that mail lies on: where the spool root is, and what is mounted below it.

    Nothing but the table of mounts is looked at: a dead server must not stop the start.
    """
    found = sorted(mounts, key=lambda mount: mount.mount_point)
    holding = [mount for mount in found if spool_root.is_relative_to(mount.mount_point)][-1:]
    below = [
        mount for mount in found if mount.mount_point != spool_root and mount.mount_point.is_relative_to(spool_root)
    ]
    return tuple(
        f"{mount.mount_point} is a network file system ({mount.fs_type}): locks and renames are only as safe as its "
        "server, and its users wait when that does not answer"
        for mount in [*holding, *below]
        if mount.network
    )


def _raise_to(kernel: KernelLimits, limit: int, needed: int) -> int:
    """Raise a soft limit to ``needed`` if the hard one allows, and return what it is then."""
    soft, hard = kernel.get(limit)
    if soft == resource.RLIM_INFINITY:
        return needed
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft >= wanted:
        return soft
    kernel.set(limit, wanted, hard)
    return wanted
