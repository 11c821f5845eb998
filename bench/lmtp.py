"""Deliveries by LMTP: ours beside dovecot-lmtpd, and beside what the bare disk does.

    python -m bench.lmtp                    everything, about 4 minutes, as root with Dovecot (dovecot-lmtpd) installed
    python -m bench.lmtp --many-uid         ours on a site where each user has a uid of their own, too
    python -m bench.lmtp --kinds maildir --connections 8 --repetitions 5

The servers run beside each other, each over homes of its own, and runs are interleaved: for each number of connections
ours, Dovecot's, the disk's, and again. Figures are medians. The load is one message for one of ``--users`` recipients
at a time (``lmtpload.py lmtp``); the disk's is the same messages by as many threads, each written, synced and renamed
with a sync of its directory, or appended and synced (``lmtpload.py fsync`` and ``append``). Both servers log each
delivery to a file. CPU is that of a server's whole process tree, by a CPU-accounting cgroup.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.servers import Server, dovecot_server, machine, make_account, our_server, owner, start, stop

HERE = Path(__file__).parent
FIRST_UID = 20_000
OUR_PORT = 11124
MANY_UID_PORT = 11125
PEER_PORT = 11510
_FIGURES = re.compile(
    r" (?P<messages>\d+) messages +(?P<rate>[\d.]+)/s .* p50 (?P<p50>[\d.]+) p99 (?P<p99>[\d.]+) ms"
    r" +server cpu (?P<cpu>[\d.]+)  client cpu (?P<client>[\d.]+)"
)


@dataclass(frozen=True)
class Subject:
    """What is measured: a server, or with None the bare disk, and the arguments of its load."""

    name: str
    server: Server | None
    load: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """One run: messages a second, milliseconds at the 50th and 99th percentile, CPU milliseconds a message."""

    rate: float
    p50: float
    p99: float
    cpu: float
    client: float


def main() -> int:
    """Measure, print a table and write the results."""
    options = _options()
    if os.geteuid():
        raise SystemExit("bench.lmtp: start it as root: it counts CPU time in cgroups, and Dovecot wants it")
    work = Path(options.work).absolute()
    work.mkdir(parents=True, exist_ok=True)
    make_account()
    messages = _messages(work)
    report: dict[str, object] = {
        "machine": machine(),
        "load_average_before": os.getloadavg(),
        "options": vars(options),
        "runs": {},
    }
    for kind in options.kinds.split(","):
        with ExitStack() as running:
            subjects = _subjects(work, options, kind, messages)
            for subject in subjects:
                if subject.server is not None:
                    start(subject.server, root=True)
                    running.callback(stop, subject.server)
            results = _interleaved(subjects, options)
        _print(kind, subjects, results)
        report["runs"][kind] = {  # type: ignore[index]
            f"{name} c={connections}": [asdict(run) for run in runs] for (name, connections), runs in results.items()
        }
    if options.results:
        Path(options.results).write_text(json.dumps(report, indent=1) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", default="maildir,mbox")
    parser.add_argument("--connections", default="1,8,32")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--messages", type=int, default=800, help="of a run; a quarter of it with one connection")
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--many-uid", action="store_true")
    parser.add_argument("--work", default="/var/tmp/mailspool-bench")
    parser.add_argument("--results")
    return parser.parse_args()


def _messages(work: Path) -> Path:
    """Make the messages once: 200, of 6 KB in the median and 18 KB in the mean, none larger than 160 KB."""
    place = work / "data" / "lmtp-messages"
    if not place.exists():
        generator = (sys.executable, HERE / "genmail.py", "files", "--messages", "200", "--out", place)
        subprocess.run(generator, check=True, stdout=subprocess.DEVNULL)
    return place


def _subjects(work: Path, options: argparse.Namespace, kind: str, messages: Path) -> Sequence[Subject]:
    mbox = kind == "mbox"
    users = options.users

    def ours(label: str, port: int, first_uid: int | None) -> Server:
        homes = _homes(work / "data" / f"lmtp-{label}", users, mbox=mbox, first_uid=first_uid)
        return our_server(
            work, homes, label, users=users, mbox=mbox, port=port, protocol="lmtp", first_uid=first_uid,
            log=work / f"{label}.log",
        )  # fmt: skip

    def by_lmtp(server: Server, port: int) -> Subject:
        return Subject(server.name, server, ("lmtp", "--port", str(port), "--cgroup", str(server.cgroup)))

    subjects = [by_lmtp(ours(f"{kind}-one-uid", OUR_PORT, None), OUR_PORT)]
    if options.many_uid:
        subjects.append(by_lmtp(ours(f"{kind}-many-uid", MANY_UID_PORT, FIRST_UID), MANY_UID_PORT))
    if shutil.which("dovecot"):
        homes = _homes(work / "data" / f"lmtp-{kind}-dovecot", users, mbox=mbox)
        peer = dovecot_server(work, homes, "tuned", users=users, mbox=mbox, port=PEER_PORT, tag="lmtp")
        shutil.rmtree(work / peer.name / "index", ignore_errors=True)
        subjects.append(by_lmtp(peer, PEER_PORT + 15))
    bare = work / "data" / "lmtp-bare-disk"
    shutil.rmtree(bare, ignore_errors=True)
    bare.mkdir(parents=True)
    disk = ("append", "--into", str(bare / "mbox")) if mbox else ("fsync", "--into", str(bare))
    subjects.append(Subject("bare disk", None, disk))
    return [Subject(each.name, each.server, (*each.load, "--messages", str(messages))) for each in subjects]


def _homes(place: Path, users: int, *, mbox: bool, first_uid: int | None = None) -> Path:
    """Make empty homes, in the place of those of the last time."""
    shutil.rmtree(place, ignore_errors=True)
    uid, gid = owner()
    place.mkdir(parents=True)
    os.chown(place, uid, gid)
    for number in range(users):
        home = place / f"user{number:05d}"
        home.mkdir(mode=0o700)
        made = [home]
        if mbox:
            (home / "mbox").touch(0o600)
            made.append(home / "mbox")
        else:
            made += [home / "Maildir", *(home / "Maildir" / part for part in ("tmp", "new", "cur"))]
            for directory in made[1:]:
                directory.mkdir(mode=0o700)
        for path in made:
            os.chown(path, uid if first_uid is None else first_uid + number, gid)
    return place


def _interleaved(subjects: Sequence[Subject], options: argparse.Namespace) -> dict[tuple[str, int], list[Run]]:
    counts = [int(each) for each in options.connections.split(",")]
    results: dict[tuple[str, int], list[Run]] = {}
    for subject in subjects:
        if subject.server is not None:  # every worker has begun, and every mailbox has its files
            _run(subject, 8, 4 * options.users, options)
    for _ in range(options.repetitions):
        for connections in counts:
            number = options.messages if connections > 1 else options.messages // 4
            for subject in subjects:
                results.setdefault((subject.name, connections), []).append(_run(subject, connections, number, options))
    return results


def _run(subject: Subject, connections: int, number: int, options: argparse.Namespace) -> Run:
    load = (*subject.load, "-n", str(number), "-c", str(connections), "--users", str(options.users))
    command = (sys.executable, str(HERE / "lmtpload.py"), *load)
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    found = _FIGURES.search(run.stdout)
    if run.returncode or found is None:
        raise SystemExit(f"{subject.name}: {run.stdout[-300:]} {run.stderr[-300:]}")
    time.sleep(0.2)  # what a server does afterwards is not the next one's
    return Run(*(float(found[name]) for name in ("rate", "p50", "p99", "cpu", "client")))


def _print(kind: str, subjects: Sequence[Subject], results: dict[tuple[str, int], list[Run]]) -> None:
    def median(subject: Subject, connections: int, figure: str) -> float:
        return statistics.median(float(getattr(run, figure)) for run in results[subject.name, connections])

    print(f"\n{kind}: medians")
    print(f"  {'':28s} {'conns':>5s} {'messages/s':>10s} {'p50 ms':>8s} {'p99 ms':>8s} {'CPU ms':>7s}  our share")
    ours = subjects[0]
    for connections in sorted({number for _, number in results}):
        for subject in subjects:
            rate, p50, p99, cpu = (median(subject, connections, each) for each in ("rate", "p50", "p99", "cpu"))
            ratio = "" if subject is ours else f"{median(ours, connections, 'rate') / rate:.2f}x"
            print(f"  {subject.name:28s} {connections:5d} {rate:10.1f} {p50:8.2f} {p99:8.2f} {cpu:7.2f}  {ratio}")


if __name__ == "__main__":
    sys.exit(main())
