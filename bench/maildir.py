"""Compare opening one large Maildir with Dovecot's POP3 server, in the same run.

    python -m bench.maildir [--messages 100000] [--repetitions 3] [--results FILE]

A client logs in to each server over loopback and asks STAT; what is timed is from PASS to the reply to STAT. The messages
are small, and all in ``cur``, where Dovecot would move them. Two sets: names with sizes (``,S=…,W=…``), which both servers
know, and plain names. Each server is asked in three states, one after the other:

* first: it has just started, and has no index of the mailbox;
* again: it has just started, and has what it wrote down (only what is not in the names, for us);
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

from bench.servers import PASSWORD, Server, dovecot_server, machine, make_account, our_server, owner, start, stop

USER = "user00000"
STATES = ("first", "again", "same")
NAMES = ("sizes", "plain")
BODY = b"From: sender@example.org\nSubject: a small message\n\n" + b"A line of some words, as in mail.\n" * 15


def main() -> int:
    """Run all, print a table and write the results."""
    options = _options()
    work = Path(options.work).absolute()
    work.mkdir(parents=True, exist_ok=True)
    root = os.geteuid() == 0
    if root:
        make_account()
    with_peer = root and shutil.which("dovecot") is not None
    report: dict[str, object] = {"machine": machine(), "messages": options.messages, "seconds": {}}
    for names in NAMES:
        data = _mail(work, options.messages, names)
        servers = [our_server(work, data, f"maildir-{names}", users=1, port=11130)]
        if with_peer:
            servers += [
                dovecot_server(work, data, mode, users=1, port=11030, tag="large") for mode in ("default", "tuned")
            ]
        seconds: dict[str, dict[str, list[float]]] = {
            server.name: {state: [] for state in STATES} for server in servers
        }
        for _ in range(options.repetitions):
            for server in servers:
                for state, taken in _measure(server, work, data, options.messages, root=root):
                    seconds[server.name][state].append(taken)
        _print(names, seconds)
        report["seconds"][names] = seconds  # type: ignore[index]
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
    for number in range(messages):
        unique = f"M{rng.randrange(10**6)}P{rng.randrange(1, 30_000)}Q{number % 9 + 1}R{rng.getrandbits(32):08x}"
        name = f"{1_700_000_000 + number // 2}.{unique}.mx1{sizes}:2,{'S' if number % 2 else ''}"
        (maildir / "cur" / name).write_bytes(BODY)
    uid, gid = owner()
    for directory, _, files in os.walk(partial):
        for path in (directory, *(os.path.join(directory, file) for file in files)):
            os.chown(path, uid, gid)
    partial.rename(data)
    time.sleep(3)  # a mailbox changed a moment ago is nobody's ordinary case
    return data


def _measure(server: Server, work: Path, data: Path, messages: int, *, root: bool) -> Iterator[tuple[str, float]]:
    home = data / USER
    shutil.rmtree(home / ".mailspool", ignore_errors=True)
    shutil.rmtree(work / server.name / "index" / USER, ignore_errors=True)
    for left in (home / "Maildir").glob("dovecot*"):
        left.unlink()
    with _running(server, root=root):
        yield "first", _log_in(server.port, messages)
    with _running(server, root=root):
        yield "again", _log_in(server.port, messages)
        for _ in range(3):
            # Ours has a worker for each core, and the kernel chooses among them.
            _log_in(server.port, messages)
        yield "same", statistics.median(_log_in(server.port, messages) for _ in range(5))


@contextmanager
def _running(server: Server, *, root: bool) -> Iterator[None]:
    start(server, root=root)
    try:
        yield
    finally:
        stop(server)


def _log_in(port: int, messages: int) -> float:
    """Return the seconds from PASS to the reply to STAT, and see that all messages are there."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=120)) as connection:
        stream = connection.makefile("rb")
        stream.readline()
        connection.sendall(f"USER {USER}\r\n".encode())
        stream.readline()
        begun = time.perf_counter()
        connection.sendall(f"PASS {PASSWORD}\r\n".encode())
        logged_in = stream.readline()
        connection.sendall(b"STAT\r\n")
        reply = stream.readline()
        taken = time.perf_counter() - begun
        if not logged_in.startswith(b"+OK") or reply.split()[:2] != [b"+OK", str(messages).encode()]:
            raise SystemExit(f"port {port}: {logged_in!r} {reply!r}")
        connection.sendall(b"QUIT\r\n")
        stream.readline()
    return taken


def _print(names: str, seconds: dict[str, dict[str, list[float]]]) -> None:
    median = {server: {state: statistics.median(of[state]) for state in STATES} for server, of in seconds.items()}
    ours = next(iter(median.values()))
    print(f"\nnames: {names}; milliseconds from PASS to STAT, median of {len(next(iter(seconds.values()))['first'])}")
    for server, of in median.items():
        figures = " ".join(f"{state} {of[state] * 1000:9.1f} ({of[state] / ours[state]:7.1f}x)" for state in STATES)
        print(f"  {server:32s} {figures}")


if __name__ == "__main__":
    sys.exit(main())
