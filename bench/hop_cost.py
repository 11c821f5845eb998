"""What one hop into a bulkhead thread costs, beside reading a small message in place.

    python -m bench.hop_cost

Prints microseconds: reading a 4 KiB file in the reactor's thread; the same through ``serving.blocking``, one at a time
(latency) and 16 at a time (throughput); and through the reactor's own pool (``deferToThread``). Medians of 5 rounds.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from twisted.internet import epollreactor

epollreactor.install()
from twisted.internet import reactor  # noqa: E402
from twisted.internet.defer import DeferredList, inlineCallbacks  # noqa: E402
from twisted.internet.threads import deferToThread  # noqa: E402

from serving.blocking import Bulkheads  # noqa: E402
from serving.settings import LimitsSettings  # noqa: E402
from serving.threads import DaemonThreads  # noqa: E402
from spool.names import UserName  # noqa: E402

OPERATIONS = 2000
ROUNDS = 5


@inlineCallbacks
def measure(path: Path):
    users = [UserName(f"user{number}") for number in range(16)]
    bulkheads = Bulkheads(reactor, LimitsSettings(), DaemonThreads(reactor.callFromThread), print)
    ways = {
        "bulkhead": lambda number, function: bulkheads.run(users[number % 16], "/mail", function),
        "reactor's pool": lambda _, function: deferToThread(function),
    }
    in_place = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(OPERATIONS):
            path.read_bytes()
        in_place.append((time.perf_counter() - started) / OPERATIONS * 1e6)
    print(f"{'read in place':40} {statistics.median(in_place):7.1f}")
    for name, way in ways.items():
        for work_name, work in ("empty", lambda: None), ("read", path.read_bytes):
            for at_once in 1, 16:
                rounds, cpu = [], []
                for _ in range(ROUNDS):
                    started, cpu_started = time.perf_counter(), time.process_time()
                    for first in range(0, OPERATIONS, at_once):
                        yield DeferredList([way(first + n, work) for n in range(at_once)])
                    rounds.append((time.perf_counter() - started) / OPERATIONS * 1e6)
                    cpu.append((time.process_time() - cpu_started) / OPERATIONS * 1e6)
                label = f"{name}, {work_name}, {at_once} at a time"
                print(f"{label:40} {statistics.median(rounds):7.1f}  cpu {statistics.median(cpu):7.1f}")
    reactor.stop()


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "message")
        path.write_bytes(b"x" * 4096)
        reactor.callWhenRunning(measure, path)
        reactor.run()


if __name__ == "__main__":
    main()
