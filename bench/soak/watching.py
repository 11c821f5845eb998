"""Memory and descriptors of the service over time, by role."""

from __future__ import annotations

import contextlib
import threading
from collections import defaultdict
from pathlib import Path

from tests.interop.live_site import LiveSite
from tests.interop.running import family, resident_octets, status


class Watching(threading.Thread):
    """Looks at the service's processes every now and then.

    Attributes:
        samples: for each look, the seconds since the start, and by role the most that one of its processes had.
    """

    def __init__(self, site: LiveSite, seconds: float, ending: threading.Event) -> None:
        super().__init__(daemon=True)
        self.samples: list[dict[str, object]] = []
        self._site, self._seconds, self._ending = site, seconds, ending

    def run(self) -> None:
        elapsed = 0.0
        while not self._ending.wait(self._seconds):
            elapsed += self._seconds
            with contextlib.suppress(OSError, ValueError):  # what has just ended cannot be looked at
                self.samples.append({"seconds": elapsed, **self._look()})

    def _look(self) -> dict[str, object]:
        assert self._site.process is not None
        supervisor = self._site.process.pid
        roles = {child["pid"]: child["role"] for child in status(self._site)["children"]}
        most: dict[str, dict[str, int]] = defaultdict(lambda: {"processes": 0, "resident_mb": 0, "descriptors": 0})
        for pid in family(supervisor):
            role = "supervisor" if pid == supervisor else roles.get(pid, "others")
            with contextlib.suppress(OSError):
                figures = most[role]
                figures["resident_mb"] = max(figures["resident_mb"], resident_octets(pid) >> 20)
                figures["descriptors"] = max(figures["descriptors"], len(list(Path(f"/proc/{pid}/fd").iterdir())))
                figures["processes"] += 1
        return dict(most)
