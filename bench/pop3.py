"""Compare our POP3 service with Dovecot on the same mail, in the same run.

    python -m bench.pop3 [--rows poll20,poll1000,fetch100] [--repetitions 3] [--results FILE]

Prints a table of ratios and writes it, with the machine and the versions, to a file. Runs are interleaved: ours, then each
peer, then ours again. CPU is that of the server's whole process tree, from a CPU-accounting cgroup; as an ordinary user,
or without Dovecot, only our own rate is measured. Everything is on loopback and bounded in count and time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.servers import Server, dovecot_server, machine, make_account, our_server, owner, start, stop

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """One line of the table: which mail, and what popload does with it."""

    name: str
    mail: tuple[str, ...]
    users: int
    load: tuple[str, ...]


ROWS = {
    "poll20": Row("poll20", ("--users", "100", "--messages", "20"), 100, ("-s", "poll", "-c", "16", "-n", "1500")),
    "poll1000": Row(
        "poll1000",
        ("--users", "10", "--messages", "1000", "--big-every", "0"),
        10,
        ("-s", "poll", "-c", "8", "-n", "200"),
    ),
    "poll10000": Row(
        "poll10000",
        ("--users", "2", "--messages", "10000", "--big-every", "0"),
        2,
        ("-s", "poll", "-c", "2", "-n", "60"),
    ),
    "login20": Row("login20", ("--users", "100", "--messages", "20"), 100, ("-s", "login", "-c", "16", "-n", "1500")),
    "fetch100": Row(
        "fetch100", ("--users", "10", "--messages", "100", "--size", "5000"), 10, ("-s", "fetch", "-c", "4", "-n", "40")
    ),
    "fetch5M": Row(
        "fetch5M", ("--users", "4", "--messages", "4", "--size", "5000000"), 4, ("-s", "fetch", "-c", "1", "-n", "8")
    ),
    "mbox20": Row("mbox20", ("--users", "100", "--messages", "20"), 100, ("-s", "poll", "-c", "16", "-n", "500")),
}


def main() -> int:
    options = _options()
    work = Path(options.work).absolute()
    work.mkdir(parents=True, exist_ok=True)
    root = os.geteuid() == 0
    with_peer = root and shutil.which("dovecot") is not None
    if root:
        make_account()
    popload = _build(work)
    report: dict[str, object] = {"machine": machine(), "rows": {}}
    for name in options.rows.split(","):
        row = ROWS[name]
        mbox = name.startswith("mbox")
        data = _mail(work, row, mbox=mbox)
        servers = [
            our_server(work, data, row.name, users=row.users, mbox=mbox, cache=cache)
            for cache in options.ours.split(",")
        ]
        if with_peer:
            servers += [dovecot_server(work, data, mode, users=row.users, mbox=mbox) for mode in ("default", "tuned")]
        results: dict[str, list[dict[str, float]]] = {server.name: [] for server in servers}
        for repetition in range(options.repetitions + 1):
            for server in servers:
                start(server, root=root)
                try:
                    _load(popload, server, row, warm=True, root=root)
                    run = _load(popload, server, row, warm=False, root=root)
                finally:
                    stop(server)
                if repetition:
                    results[server.name].append(run)
        _print(row, results, with_peer=with_peer)
        report["rows"][name] = results  # type: ignore[index]
    if options.results:
        Path(options.results).write_text(json.dumps(report, indent=1) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="login20,poll20,poll1000,fetch100,fetch5M")
    parser.add_argument(
        "--ours", default="plain,default", help="plain: {PLAIN} passwords; default: ARGON2ID and the cache"
    )
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--work", default="/var/tmp/mailspool-bench")
    parser.add_argument("--results")
    return parser.parse_args()


def _build(work: Path) -> Path:
    popload = work / "popload"
    subprocess.run(["gcc", "-O2", "-o", popload, HERE / "popload.c"], check=True)
    return popload


def _mail(work: Path, row: Row, *, mbox: bool) -> Path:
    """Generate the row's mail once; the folder's name says what is in it."""
    kind = "mbox" if mbox else "maildir"
    data = work / "data" / "-".join((kind, *(word.lstrip("-") for word in row.mail)))
    if not data.exists():
        partial = data.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        account = ":".join(map(str, owner()))
        subprocess.run(
            [sys.executable, HERE / "genmail.py", kind, "--out", partial, *row.mail, "--owner", account],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        partial.rename(data)
    return data


def _load(popload: Path, server: Server, row: Row, *, warm: bool, root: bool) -> dict[str, float]:
    load = list(row.load)
    if warm:
        load[load.index("-n") + 1] = str(max(row.users, 16))
    accounting = ["-G", str(server.cgroup)] if root else []
    run = subprocess.run(
        [popload, "-k", *load, "-r", f"0:{row.users - 1}", *accounting, "127.0.0.1", str(server.port)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if run.returncode:
        raise SystemExit(f"{server.name} {row.name}: popload failed: {run.stderr[-500:]} {run.stdout[-300:]}")
    pairs = (word.split("=", 1) for word in run.stdout.split() if "=" in word)
    return {key: float(value) for key, value in pairs if key not in ("label", "scenario")}


def _print(row: Row, results: dict[str, list[dict[str, float]]], *, with_peer: bool) -> None:
    def median(server: str, key: str) -> float:
        return statistics.median(run.get(key, float("nan")) for run in results[server])

    print(f"\n{row.name}: {' '.join(row.load)}; mail {' '.join(row.mail)}")
    print(f"  {'server':26s} {'sessions/s':>10s} {'CPU ms/session':>15s} {'MB/s':>8s} {'p50 ms':>8s} {'p99 ms':>8s}")
    for server in results:
        print(
            f"  {server:26s} {median(server, 'rate'):10.1f} {median(server, 'cpu_ms'):15.3f} {median(server, 'mbps'):8.1f} {median(server, 'p50'):8.2f} {median(server, 'p99'):8.2f}"
        )
    if with_peer:
        for ours in (server for server in results if server.startswith("ours")):
            for peer in (server for server in results if not server.startswith("ours")):
                cpu = median(peer, "cpu_ms") / median(ours, "cpu_ms")
                rate = median(ours, "rate") / median(peer, "rate")
                print(f"  {ours} against {peer}: CPU {cpu:.2f}x, rate {rate:.2f}x")


if __name__ == "__main__":
    sys.exit(main())
