"""Compare opening one large Maildir with Dovecot's POP3 server, in the same run.

    python -m bench.maildir [--messages 100000] [--repetitions 3] [--results FILE]

A client logs in to each server over loopback and asks STAT; what is timed is from PASS to the reply to STAT, and as root
also the CPU of the server's process tree from connecting to QUIT, the steadier figure on a busy machine. The messages
are small, and all in ``cur``, where Dovecot would move them. Two sets: names with sizes (``,S=…,W=…``), which both
servers know, and plain names. Each server is asked in three states, one after the other:

* first: it has just started, and has no index of the mailbox;
* again: it has just started, and has what it wrote down;
* same: the server that answered before answers again, nothing has changed.

Runs are interleaved: ours, Dovecot as packaged, Dovecot tuned, then ours again. Needs root and Dovecot for the peers.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import socket
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias

from bench.servers import PASSWORD, Server, dovecot_server, machine, make_account, our_server, owner, start, stop

USER = "user00000"
STATES = ("first", "again", "same")
NAMES = ("sizes", "plain")
Runs: TypeAlias = "dict[str, dict[str, list[Taken]]]"
BODY = b"From: sender@example.org\nSubject: a small message\n\n" + b"A line of some words, as in mail.\n" * 15


class Taken(NamedTuple):
    """What one login took, in seconds."""

    wall: float
    cpu: float


def main() -> int:
    """Run all, print a table and write the results."""
    options = _options()
    work = Path(options.work).absolute()
    work.mkdir(parents=True, exist_ok=True)
    root = os.geteuid() == 0
    if root:
        make_account()
    with_peer = root and shutil.which("dovecot") is not None
    report: dict[str, object] = {"machine": machine(), "messages": options.messages, "runs": {}}
    for names in NAMES:
        data = _mail(work, options.messages, names)
        servers = [our_server(work, data, f"maildir-{names}", users=1, port=11130)]
        if with_peer:
            servers += [
                dovecot_server(work, data, mode, users=1, port=11030, tag="large") for mode in ("default", "tuned")
            ]
        runs: Runs = {server.name: {state: [] for state in STATES} for server in servers}
        for _ in range(options.repetitions):
            for server in servers:
                for state, taken in _measure(server, work, data, options.messages, root=root):
                    runs[server.name][state].append(taken)
        _print(names, runs)
        report["runs"][names] = runs  # type: ignore[index]
    if options.results:
        Path(options.results).write_text(json.dumps(report, indent=1) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--work", default="/var/tmp/mailspool-bench")
    parser.add_argument("--results")
    return parser.parse_args()


def _mail(work: Path, messages: int, names: str) -> Path:
    """Make the mailbox once."""
    data = work / "data" / f"large-{names}-{messages}"
    if data.exists():
        return data
    partial = data.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    maildir = partial / USER / "Maildir"
    for part in ("tmp", "new", "cur"):
        (maildir / part).mkdir(parents=True)
    rng = random.Random(1)
    sizes = f",S={len(BODY)},W={len(BODY) + BODY.count(10)}" if names == "sizes" else ""
    seconds = 1_600_000_000
    for number in range(messages):
        seconds += rng.randrange(120)
        unique = f"M{rng.randrange(10**6)}P{rng.randrange(1, 30_000)}Q{number % 9 + 1}R{rng.getrandbits(32):08x}"
        name = f"{seconds}.{unique}.mx1{sizes}:2,{'S' if number % 2 else ''}"
        (maildir / "cur" / name).write_bytes(BODY)
    uid, gid = owner()
    for directory, _, files in os.walk(partial):
        for path in (directory, *(os.path.join(directory, file) for file in files)):
            os.chown(path, uid, gid)
    partial.rename(data)
    time.sleep(3)  # a mailbox changed a moment ago is nobody's ordinary case
    return data


def _measure(server: Server, work: Path, data: Path, messages: int, *, root: bool) -> Iterator[tuple[str, Taken]]:
    home = data / USER
    shutil.rmtree(home / ".mailspool", ignore_errors=True)
    shutil.rmtree(work / server.name / "index" / USER, ignore_errors=True)
    for left in (home / "Maildir").glob("dovecot*"):
        left.unlink()
    with _running(server, root=root):
        yield "first", _log_in(server, messages)
    with _running(server, root=root):
        yield "again", _log_in(server, messages)
        for _ in range(4):
            # Ours has a worker for each core, and the kernel chooses among them.
            _log_in(server, messages)
        each = [_log_in(server, messages) for _ in range(5)]
        yield "same", Taken(*(statistics.median(figures) for figures in zip(*each, strict=True)))


@contextmanager
def _running(server: Server, *, root: bool) -> Iterator[None]:
    start(server, root=root)
    time.sleep(1)  # what it does to start is another matter
    try:
        yield
    finally:
        stop(server)


def _log_in(server: Server, messages: int) -> Taken:
    """Log in, see that all messages are there, and quit."""
    cpu = _cpu_seconds(server)
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=120)) as connection:
        stream = connection.makefile("rb")
        stream.readline()
        connection.sendall(f"USER {USER}\r\n".encode())
        stream.readline()
        begun = time.perf_counter()
        connection.sendall(f"PASS {PASSWORD}\r\n".encode())
        logged_in = stream.readline()
        connection.sendall(b"STAT\r\n")
        reply = stream.readline()
        wall = time.perf_counter() - begun
        if not logged_in.startswith(b"+OK") or reply.split()[:2] != [b"+OK", str(messages).encode()]:
            raise SystemExit(f"{server.name}: {logged_in!r} {reply!r}")
        connection.sendall(b"QUIT\r\n")
        stream.readline()
    time.sleep(0.05)  # what a server does after QUIT is its work too
    return Taken(wall, _cpu_seconds(server) - cpu)


def _cpu_seconds(server: Server) -> float:
    """CPU time that the processes of a server have used, 0 if it is not counted."""
    usage = server.cgroup / "cpuacct.usage"
    return int(usage.read_text()) / 1e9 if usage.exists() else 0.0


def _print(names: str, runs: Runs) -> None:
    print(
        f"\nnames: {names}; median of {len(next(iter(runs.values()))['first'])} runs, in milliseconds, and what we are ahead"
    )
    for field in Taken._fields:
        median = {
            server: {state: statistics.median(getattr(taken, field) for taken in of[state]) for state in STATES}
            for server, of in runs.items()
        }
        ours = next(iter(median.values()))
        for server, of in median.items():
            figures = " ".join(
                f"{state} {of[state] * 1000:9.1f} ({of[state] / max(ours[state], 1e-9):7.1f}x)" for state in STATES
            )
            print(f"  {field:5s} {server:32s} {figures}")


if __name__ == "__main__":
    sys.exit(main())
