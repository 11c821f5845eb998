"""Whether processes ask the system's user database: getpw() and all of NSS open one of its files or sockets."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.interop.running import wait_until

_QUESTIONS: Final = re.compile(
    r'"(/etc/(?:passwd|group|shadow|nsswitch\.conf)'
    r'|/(?:var/)?run/nscd[^"]*|/run/systemd/userdb[^"]*|/var/lib/sss[^"]*|[^"]*libnss_[^"]*)"'
)
STRACE: Final = ("strace", "-f", "-qq", "-e", "trace=open,openat,connect", "-s", "200", "-o")


@dataclass(frozen=True)
class Trace:
    """What the processes opened and connected to."""

    file: Path

    def read(self) -> str:
        """Every call, a line each."""
        return self.file.read_text(errors="replace")

    def questions(self) -> list[str]:
        """The files and sockets of the user database among them."""
        return _QUESTIONS.findall(self.read())


@contextlib.contextmanager
def traced(processes: Sequence[int], file: Path) -> Iterator[Trace]:
    """Trace running processes and those that they start; the trace is complete at the end."""
    attached = [argument for pid in processes for argument in ("-p", str(pid))]
    with subprocess.Popen([*STRACE, str(file), *attached], stderr=subprocess.DEVNULL) as tracer:
        try:
            wait_until(lambda: all(map(_is_traced, processes)), "strace is attached")
            yield Trace(file)
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(20)


def _is_traced(pid: int) -> bool:
    found = re.search(r"TracerPid:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return found is not None and found[1] != "0"
