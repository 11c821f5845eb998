"""Starts a supervisor as a process of its own and watches it; nothing sleeps, everything waits for a line or an end."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

from serving.status import ask_status

SECONDS = 20.0


class Site:
    """A running supervisor: its lines, its address, its plan file."""

    def __init__(self, program: str, directory: Path, plan: str) -> None:
        self.plan = directory / "plan"
        self.status_path = directory / "status.sock"
        self.write(plan)
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"tests.unit.serving.{program}", str(self.plan)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
            start_new_session=True,
        )
        self._lines = bytearray()
        self.seen: list[str] = []
        self.errors = b""

    def close(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
            self.process.communicate(timeout=SECONDS)

    def write(self, plan: str) -> None:
        self.plan.write_text(plan)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first line from now on, or not yet waited for, that matches."""
        assert self.process.stdout is not None
        while True:
            for line in self.seen:
                if match := re.fullmatch(pattern, line):
                    self.seen.remove(line)
                    return match
            assert select.select([self.process.stdout], [], [], SECONDS)[0], f"no {pattern!r} in time: {self.seen}"
            octets = os.read(self.process.stdout.fileno(), 65536)
            assert octets, f"ended before {pattern!r}: {self.seen}"
            self._lines += octets
            *lines, rest = self._lines.split(b"\n")
            self._lines = bytearray(rest)
            self.seen += [line.decode() for line in lines]

    def wait_for_error(self, pattern: bytes) -> None:
        assert self.process.stderr is not None
        octets = b""
        while not re.search(pattern, octets):
            assert select.select([self.process.stderr], [], [], SECONDS)[0], octets
            piece = os.read(self.process.stderr.fileno(), 65536)
            assert piece, octets
            octets += piece

    def ready(self) -> int:
        """Wait for the ready line; the port."""
        return int(self.wait_for(r"ready pop3=127\.0\.0\.1:(\d+)")[1])

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def signal_all(self, number: int) -> None:
        """What a terminal and a service manager do."""
        everybody = [*(child["pid"] for child in self.status()["children"]), self.process.pid]
        for pid in everybody:
            os.kill(pid, number)

    def end(self) -> int:
        """Wait for the end; the exit status."""
        _, self.errors = self.process.communicate(timeout=SECONDS)
        return self.process.returncode

    def status(self) -> dict[str, Any]:
        return ask_status(self.status_path, timeout_seconds=SECONDS)

    def child(self, role: str) -> int:
        """The one of this role that serves: one that drains may still be there for a moment."""
        children = self.status()["children"]
        (pid,) = (child["pid"] for child in children if child["role"] == role and child["state"] != "draining")
        assert isinstance(pid, int)
        return pid
