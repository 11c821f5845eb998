"""Compare opening one large mbox with Dovecot, popa3d and grep, in the same run; and what it costs other sessions.

    python -m bench.mbox [--megabytes 500] [--repetitions 3] [--seconds 10] [--results FILE]

A client logs in to each server over loopback and asks STAT; what is timed is from PASS to the reply to STAT, and as root
also the CPU of the server's process tree from connecting to QUIT, the steadier figure on a busy machine. Each server is
asked in four states, one after the other, each time beginning with a fresh copy of the mbox that no server has seen (it
is in the page cache; Dovecot writes into it):

* first: the server has just started, and has no index of the mbox;
* again: it has just started, and has what it wrote down;
* same: the server that answered before answers again, nothing has changed;
* new: one message has been appended.

Runs are interleaved: ours, Dovecot, popa3d, ``grep -c '^From '``, then ours again; with all cores, then with one. Then small
mailboxes of 20 others are polled at a steady rate, in turns while nothing else happens and while the large mbox is read from
its beginning again and again, and the times of these polls are compared. Needs root, Dovecot and popa3d for the peers.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeAlias

from bench.servers import HERE, PASSWORD, Server, dovecot_server, machine, make_account, our_server, owner, start, stop

LARGE = "user00000"
OTHERS = tuple(f"user{number:05d}" for number in range(1, 21))
STATES = ("first", "again", "same", "new")
POLLS_PER_SECOND = 40
HOUR = 3600
MESSAGE = b"From sender@example.org Thu Jan  1 00:00:00 1970\nSubject: new\n\nA line of some words.\n\n"
ONE_CORE = ("taskset", "-c", "0")


class Taken(NamedTuple):
    """What one login took, in seconds."""

    wall: float
    cpu: float


Runs: TypeAlias = "dict[str, dict[str, list[Taken]]]"


def main() -> int:
    """Run all, print tables and write the results."""
    options = _options()
    work = Path(options.work).absolute()
    work.mkdir(parents=True, exist_ok=True)
    root = os.geteuid() == 0
    if root:
        make_account()
    data = _mail(work, options.megabytes)
    report: dict[str, object] = {"machine": machine(), "megabytes": options.megabytes}
    for cores, prefix in (("all", ()), ("one", ONE_CORE)):
        runs = _compare(work, data, prefix, options.repetitions, root=root)
        _print_runs(cores, runs)
        report[f"cores_{cores}"] = runs
    others = _others(work, data, options.seconds, options.repetitions, root=root)
    _print_others(others)
    report["others_ms"] = others
    if options.results:
        Path(options.results).write_text(json.dumps(report, indent=1) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="for each phase of the polls of others")
    parser.add_argument("--work", default="/var/tmp/mailspool-bench")
    parser.add_argument("--results")
    return parser.parse_args()


# -- mail -------------------------------------------------------------------------------------------------------------


def _mail(work: Path, megabytes: int) -> Path:
    """Make the mailboxes once: a large one, and small ones."""
    data = work / "data" / f"large-mbox-{megabytes}"
    if data.exists():
        return data
    partial = data.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for arguments in (
        ("--users", "1", "--total-mb", str(megabytes)),
        ("--first", "1", "--users", str(len(OTHERS)), "--messages", "20"),
    ):
        command = [sys.executable, HERE / "genmail.py", "mbox", "--out", partial, *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (partial / LARGE / "mbox").rename(partial / "pristine")
    for path in (partial, *partial.rglob("*")):
        os.chown(path, *owner())
    partial.rename(data)
    return data


def _fresh(data: Path, *indexes: Path) -> None:
    """Put the large mbox back to where no server has seen it."""
    home = data / LARGE
    for index in (home / ".mailspool", *indexes):
        shutil.rmtree(index, ignore_errors=True)
    subprocess.run(["cp", data / "pristine", home / "mbox"], check=True)
    os.chown(home / "mbox", *owner())
    (home / "mbox").chmod(0o600)
    with (home / "mbox").open("rb") as mbox:
        os.fsync(mbox.fileno())  # else the kernel writes it back while the first server reads it
    then = time.time() - HOUR
    os.utime(home / "mbox", (then, then))


# -- one large mbox ---------------------------------------------------------------------------------------------------


def _compare(work: Path, data: Path, prefix: tuple[str, ...], repetitions: int, *, root: bool) -> Runs:
    servers = [our_server(work, data, f"mbox{len(prefix)}", users=1 + len(OTHERS), mbox=True, port=11150)]
    if root and shutil.which("dovecot"):
        servers.append(dovecot_server(work, data, "default", users=1, mbox=True, port=11050, tag="mbox"))
    if root and shutil.which("popa3d") and shutil.which("tcpserver"):
        servers.append(_popa3d(work, data))
    servers = [replace(server, start=(*prefix, *server.start)) for server in servers]
    runs: Runs = {server.name: {state: [] for state in STATES} for server in servers}
    runs["grep"] = {"first": []}
    for _ in range(repetitions):
        for server in servers:
            for state, taken in _measure(server, work, data, root=root):
                runs[server.name][state].append(taken)
        runs["grep"]["first"].append(_grep(data, prefix))
    return runs


def _popa3d(work: Path, data: Path) -> Server:
    packages = work / "packages"
    packages.mkdir(exist_ok=True)
    if not (packages / "popa3d").is_symlink():
        (packages / "popa3d").symlink_to("/")  # it is installed, not unpacked somewhere
    script = str(HERE / "peers" / "popa3d.sh")
    environment = {"W": str(work), "DATA": str(data), "NUSERS": "1", "PORT": "11052", "DEBS": str(packages)}
    return Server("popa3d", 11052, (script, "start"), (script, "stop"), environment)


def _grep(data: Path, prefix: tuple[str, ...]) -> Taken:
    begun = time.perf_counter()
    # Into a pipe: grep stops at the first line it finds where nobody can see how many there are.
    subprocess.run([*prefix, "grep", "-c", "^From ", data / "pristine"], check=True, stdout=subprocess.PIPE)
    return Taken(time.perf_counter() - begun, 0.0)


def _measure(server: Server, work: Path, data: Path, *, root: bool) -> Iterator[tuple[str, Taken]]:
    _fresh(data, work / server.name / "index" / LARGE)
    with _running(server, root=root):
        yield "first", _log_in(server)
    with _running(server, root=root):
        yield "again", _log_in(server)
        for _ in range(4):
            _log_in(server)  # ours has a worker for each core, and the kernel chooses among them
        each = [_log_in(server) for _ in range(5)]
        yield "same", Taken(*(statistics.median(figures) for figures in zip(*each, strict=True)))
        with (data / LARGE / "mbox").open("ab") as mbox:
            mbox.write(MESSAGE)
        yield "new", _log_in(server)


@contextmanager
def _running(server: Server, *, root: bool) -> Iterator[None]:
    start(server, root=root)
    time.sleep(1)  # what it does to start is another matter
    try:
        yield
    finally:
        stop(server)


def _log_in(server: Server, user: str = LARGE) -> Taken:
    """Log in, ask how much mail there is, and quit."""
    cpu = _cpu_seconds(server)
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=120)) as connection:
        stream = connection.makefile("rb")
        stream.readline()
        connection.sendall(f"USER {user}\r\n".encode())
        stream.readline()
        begun = time.perf_counter()
        connection.sendall(f"PASS {PASSWORD}\r\n".encode())
        logged_in = stream.readline()
        connection.sendall(b"STAT\r\n")
        reply = stream.readline()
        wall = time.perf_counter() - begun
        if not (logged_in.startswith(b"+OK") and reply.startswith(b"+OK")):
            raise SystemExit(f"{server.name}: {logged_in!r} {reply!r}")
        connection.sendall(b"QUIT\r\n")
        stream.readline()
    if user == LARGE:
        time.sleep(0.05)  # what a server does after QUIT is its work too
    return Taken(wall, _cpu_seconds(server) - cpu)


def _cpu_seconds(server: Server) -> float:
    """CPU time that the processes of a server have used, 0 if it is not counted."""
    usage = server.cgroup / "cpuacct.usage"
    return int(usage.read_text()) / 1e9 if usage.exists() else 0.0


# -- other sessions ---------------------------------------------------------------------------------------------------


def _others(work: Path, data: Path, seconds: float, repetitions: int, *, root: bool) -> Mapping[str, object]:
    """Poll small mailboxes, with and without somebody who opens the large one from its beginning."""
    server = our_server(work, data, "mbox-others", users=1 + len(OTHERS), mbox=True, port=11150)
    times: dict[str, list[float]] = {"idle": [], "opening": []}
    openings = 0
    _fresh(data)
    with _running(server, root=root):
        _poll(server, 2)
        for _ in range(repetitions):
            times["idle"] += _poll(server, seconds)
            finished = threading.Event()
            opened: list[float] = []
            opener = threading.Thread(target=_open_again_and_again, args=(server, data, finished, opened))
            opener.start()
            times["opening"] += _poll(server, seconds)
            finished.set()
            opener.join()
            openings += len(opened)
    return {**{phase: _figures(each) for phase, each in times.items()}, "openings": openings}


def _open_again_and_again(server: Server, data: Path, finished: threading.Event, opened: list[float]) -> None:
    moment = time.time() - HOUR
    while not finished.is_set():
        moment += 1
        os.utime(data / LARGE / "mbox", (moment, moment))  # as if somebody had rewritten it
        opened.append(_log_in(server).wall)


def _poll(server: Server, seconds: float) -> list[float]:
    """Poll at a steady rate; how long each poll took, waiting for those before included."""
    taken = []
    begun = time.perf_counter()
    for number in range(int(seconds * POLLS_PER_SECOND)):
        due = begun + number / POLLS_PER_SECOND
        time.sleep(max(0.0, due - time.perf_counter()))
        _log_in(server, OTHERS[number % len(OTHERS)])
        taken.append((time.perf_counter() - due) * 1000)
    return taken


def _figures(each: list[float]) -> Mapping[str, float]:
    cuts = statistics.quantiles(each, n=100)
    return {"polls": len(each), "p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "worst": max(each)}


# -- tables -----------------------------------------------------------------------------------------------------------


def _print_runs(cores: str, runs: Runs) -> None:
    count = len(runs["grep"]["first"])
    print(f"\ncores: {cores}; median of {count} runs, in milliseconds, and what we are ahead")
    for field in Taken._fields:
        median = {
            server: {state: statistics.median(getattr(taken, field) for taken in each) for state, each in of.items()}
            for server, of in runs.items()
        }
        ours = next(iter(median.values()))
        for server, of in median.items():
            figures = " ".join(
                f"{state} {value * 1000:9.1f} ({value / max(ours[state], 1e-9):7.2f}x)" for state, value in of.items()
            )
            print(f"  {field:5s} {server:24s} {figures}")


def _print_others(others: Mapping[str, object]) -> None:
    print("\npolls of others, in milliseconds")
    for phase, figures in others.items():
        print(f"  {phase:8s} {figures}")


if __name__ == "__main__":
    sys.exit(main())
