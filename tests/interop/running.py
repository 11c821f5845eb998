"""Questions to a running service, and waiting for what it will do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from serving.status import SOCKET_NAME, ask_status
from tests.interop.live_site import LiveSite

EVENT_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.05


def wait_until(holds: Callable[[], bool], what: str, *, seconds: float = EVENT_SECONDS) -> None:
    """Look again and again until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(_LOOK_SECONDS)


def status(site: LiveSite) -> dict[str, Any]:
    """What ``mailspool status --json`` prints, without starting a program."""
    return ask_status(site.site / "run" / SOCKET_NAME)


def pids(site: LiveSite, role: str) -> list[int]:
    """The processes of a role that are ready."""
    return [child["pid"] for child in status(site)["children"] if child["role"] == role and child["state"] == "ready"]


def counters(site: LiveSite, role: str) -> dict[str, Any]:
    """The sum of a role's counters, of those that are numbers."""
    total: dict[str, Any] = {}
    for child in status(site)["children"]:
        if child["role"] == role:
            for name, value in child.get("counters", {}).items():
                if isinstance(value, int):
                    total[name] = total.get(name, 0) + value
    return total


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    return [pid, *(each for child in _children(pid) for each in family(child))]


def _children(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        yield from map(int, task.read_text().split())


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def resident_octets(pid: int) -> int:
    """How much memory a process has in RAM."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
