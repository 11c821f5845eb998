"""Measure what users with hung homes cost the others.

    python -m bench.bulkheads [--seconds 20] [--repetitions 3] [--many-uids] [--results bench/results/bulkheads.json]

Healthy users poll (USER, PASS, STAT, UIDL, QUIT) at a steady rate, and each poll is timed. Phases take turns in one run:

* ``idle``: nobody else is there;
* ``healthy``: 30 other users poll every second, and their homes are well: what the polls alone cost;
* ``hung``: 30 users poll every second, whether or not they were answered, whose home never answers.

The aim is a p99 in ``hung`` below 1.5 times that in ``idle``. Only a quiet machine can tell: beside other work, the p99 of
``idle`` alone was seen to vary twofold from run to run. Settings are the defaults but for the password scheme. Needs
root, for a file system that hangs (``bench.hung_file_system``); everything is on loopback and bounded in count and time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.hung_file_system import can_hang, hung_file_system
from serving.status import SOCKET_NAME, ask_status

POLLERS = 30
MEASURED = 20
MESSAGES = 20
POLLS_PER_SECOND = 20
FIRST_UID = 20_500
SERVICE_UID = 20_499
PASSWORD = "secret"
PHASES = ("idle", "healthy", "hung")
AIM = 1.5
SETTLE_SECONDS = 60


def main() -> int:
    options = _options()
    if not can_hang():
        print("bulkheads: needs root and /dev/fuse", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="bulkheads-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        port = _make_site(directory, many_uids=options.many_uids)
        times: dict[str, list[float]] = {phase: [] for phase in PHASES}
        with _served(directory):
            _measure(port, 3.0)  # warm
            for _ in range(options.repetitions):
                for phase in PHASES:
                    with _phase(phase, directory, port):
                        times[phase] += _measure(port, options.seconds)
    report = {phase: _figures(each) for phase, each in times.items()}
    ratio = report["hung"]["p99_ms"] / report["idle"]["p99_ms"]
    _print(report, ratio)
    if options.results:
        facts = {
            "machine": f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}",
            "many_uids": options.many_uids,
            "seconds": options.seconds,
            "repetitions": options.repetitions,
            "phases": report,
            "p99_hung_to_idle": ratio,
        }
        options.results.parent.mkdir(exist_ok=True)
        options.results.write_text(json.dumps(facts, indent=1) + "\n")
    return 0 if ratio < AIM else 3


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long a phase takes (default: %(default)s)")
    parser.add_argument("--repetitions", type=int, default=3, help="how often each phase comes (default: %(default)s)")
    parser.add_argument("--many-uids", action="store_true", help="a site where every user has their own uid")
    parser.add_argument("--results", type=Path, help="write the figures to this file")
    return parser.parse_args()


# -- the site


def _make_site(directory: Path, *, many_uids: bool) -> int:
    """Make a site by its control files; the port it will listen on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    spool = directory / "spool"
    spool.mkdir()
    os.chown(spool, SERVICE_UID, SERVICE_UID)
    spool.chmod(0o711)
    site = directory / "site"
    subprocess.run(
        [_program("mailspool"), "init", site, "--spool-root", spool, "--user", "nobody", "--listen",
         f"pop3=127.0.0.1:{port}", "--set", "auth.schemes=PLAIN"],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    settings = site / "mailspool.toml"
    settings.write_text(settings.read_text().replace('user = "nobody"', ""))
    (directory / "hung").mkdir()
    homes = {f"measured{n}": spool / f"measured{n}" for n in range(MEASURED)}
    homes |= {f"healthy{n}": spool / f"healthy{n}" for n in range(POLLERS)}
    homes |= {f"hung{n}": directory / "hung" / f"hung{n}" for n in range(POLLERS)}
    lines = []
    for number, (user, home) in enumerate(homes.items()):
        uid = FIRST_UID + number if many_uids else SERVICE_UID
        lines.append(f"={user}:{user}:{uid}:{uid}:{home}:::")
        _fill(home, uid)
    (site / "control" / "assign").write_text("\n".join([*lines, ".", ""]))
    subprocess.run([_program("spool-assign"), "compile", "--site", site], check=True, stdout=subprocess.DEVNULL)
    (site / "control" / "passwd").write_text("".join(f"{user}:{{PLAIN}}{PASSWORD}\n" for user in homes))
    return port


def _fill(home: Path, uid: int) -> None:
    made = [home, home / "Maildir", *(home / "Maildir" / part for part in ("tmp", "new", "cur"))]
    for path in made:
        path.mkdir(mode=0o700)
    for number in range(MESSAGES):
        path = home / "Maildir" / "cur" / f"{895651200 + number}.M1P1.host:2,S"
        path.write_bytes(b"Subject: a message\n\n" + b"text of a line\n" * 300)
        made.append(path)
    for path in made:
        os.chown(path, uid, uid)


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


@contextlib.contextmanager
def _served(directory: Path) -> Iterator[None]:
    command = [_program("mailspool"), "serve", "--site", str(directory / "site"), "--set", "log.level=warn"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if not process.stdout.readline().startswith("ready"):
                raise SystemExit("bulkheads: the service does not start")
            yield
        finally:
            process.terminate()
            process.wait(60)


# -- the load


@contextlib.contextmanager
def _phase(name: str, directory: Path, port: int) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        if name == "hung":
            stack.enter_context(hung_file_system(directory / "hung"))
        if name != "idle":
            # A process of its own, so that its work is not in the times measured here.
            polling = multiprocessing.get_context("spawn").Process(target=_poll_for_ever, args=(port, name))
            polling.start()
            stack.callback(polling.join)
            stack.callback(polling.terminate)
            time.sleep(2.0)  # until it has started
        yield
    _settle(directory)


def _settle(directory: Path) -> None:
    """Wait until nothing hangs or ends any more, or the next phase would be measured while it does."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        children = ask_status(directory / "site" / "run" / SOCKET_NAME)["children"]
        counts = [child["counters"] for child in children if child["role"] in ("worker", "spawner")]
        if not any(each.get(name, 0) for each in counts for name in ("running", "connections_open", "processes")):
            time.sleep(1.0)
            return
        time.sleep(0.5)
    raise SystemExit(f"bulkheads: the service has not settled in {SETTLE_SECONDS} seconds")


def _poll_for_ever(port: int, who: str) -> None:
    asyncio.run(_poll_all(port, who))


async def _poll_all(port: int, who: str) -> None:
    tasks = set()
    while True:
        for number in range(POLLERS):
            # Each from an address of their own, as users have: what is not answered counts against its address.
            tasks.add(asyncio.create_task(_poll(port, f"{who}{number}", f"127.0.1.{number + 1}")))
            await asyncio.sleep(1.0 / POLLERS)
        tasks = {task for task in tasks if not task.done()}


async def _poll(port: int, user: str, address: str) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
        await reader.readuntil()
        for command in (f"USER {user}", f"PASS {PASSWORD}", "STAT", "QUIT"):
            writer.write(command.encode() + b"\r\n")
            await reader.readuntil()
        writer.close()


def _measure(port: int, seconds: float) -> list[float]:
    """Poll at a steady rate, one user after the other; how many milliseconds each took from its due time on."""
    times = []
    start = time.monotonic()
    for number in range(int(seconds * POLLS_PER_SECOND)):
        due = start + number / POLLS_PER_SECOND
        time.sleep(max(0.0, due - time.monotonic()))
        _one_poll(port, f"measured{number % MEASURED}")
        times.append((time.monotonic() - due) * 1000)
    return times


def _one_poll(port: int, user: str) -> None:
    with socket.create_connection(("127.0.0.1", port), 30) as connection, connection.makefile("rb") as answers:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers.readline()
        for command in (f"USER {user}", f"PASS {PASSWORD}", "STAT", "UIDL", "QUIT"):
            connection.sendall(command.encode() + b"\r\n")
            answer = answers.readline()
            if not answer.startswith(b"+OK"):
                raise SystemExit(f"bulkheads: {user}: {command.split()[0]}: {answer!r}")
            while command == "UIDL" and answers.readline() != b".\r\n":
                pass
        answers.read()


def _figures(times: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(times, n=100)
    return {"polls": len(times), "p50_ms": cuts[49], "p90_ms": cuts[89], "p99_ms": cuts[98], "max_ms": max(times)}


def _print(report: dict[str, dict[str, float]], ratio: float) -> None:
    print(f"{'phase':10s} {'polls':>6s} {'p50 ms':>8s} {'p90 ms':>8s} {'p99 ms':>8s} {'max ms':>8s}")
    for phase, figures in report.items():
        print(f"{phase:10s} {figures['polls']:6.0f}" + "".join(f" {figures[k]:8.2f}" for k in list(figures)[1:]))
    print(f"p99 with hung homes: {ratio:.2f} times idle (aim: below {AIM})")


if __name__ == "__main__":
    sys.exit(main())
