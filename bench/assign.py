"""Time the table of users at scale: taking a million over, adding one, moving homes.

    python -m bench.assign [--users 1000000] [--repetitions 1]

Each figure is wall time, with the processor's time beside it: on a busy machine that is the steadier one. Taking over is the whole command, from its start to its end, on an empty table and once more on
the table it made; no homes are made. Adding is ``Roster.add_user`` with home and maildrop, moving ``Roster.move_homes``, in
tables of 20,000 and 100,000 users (two lines each).
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from spool.assign_edits import HomeMove
from spool.names import UserName
from spool.roster import NewUser, Roster
from spool.settings import SpoolSettings
from spool.site import Site

UID, GID = os.getuid() or 1000, os.getgid() or 1000


def main() -> None:
    """Run all and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--repetitions", type=int, default=1)
    options = parser.parse_args()
    for _ in range(options.repetitions):
        with tempfile.TemporaryDirectory() as directory:
            for action, lines in (("from-csv", csv_lines), ("from-passwd", passwd_lines)):
                source = Path(directory) / action
                source.write_bytes(b"".join(lines(options.users)))
                site = make_site(Path(directory) / f"site-{action}")
                for table in ("empty", "the same"):
                    taken = timed(lambda: take_over(action, source, site))
                    say(f"{action}, {options.users} users, table {table}", taken)
        for users in (20_000, 100_000):
            with tempfile.TemporaryDirectory() as directory:
                in_a_table_of(users, make_site(Path(directory) / "site"))


def in_a_table_of(users: int, site: Site) -> None:
    homes = site.directory / "spool"
    site.assign.write_bytes(
        b"".join(
            b"=user%d:user%d:%d:%d:%b/user%d:::\n+user%d-:user%d:%d:%d:%b/user%d:-::\n"
            % ((number, number, UID, GID, os.fsencode(homes), number) * 2)
            for number in range(users)
        )
        + b".\n"
    )
    roster = Roster(site, SpoolSettings(homes))
    adding = [timed(lambda: roster.add_user(NewUser(UserName(name), UID, GID))) for name in ("ann", "bob", "cid")]
    say(f"add_user, {users} users", min(adding, key=lambda taken: taken.wall))
    for moves in (1000, users):
        moved = {
            UserName(f"user{number}"): HomeMove(homes / f"user{number}", homes / str(moves) / f"user{number}")
            for number in range(moves)
        }
        say(f"move_homes of {moves}, {users} users", timed(lambda: roster.move_homes(moved)))
        roster.move_homes({name: HomeMove(move.new, move.old) for name, move in moved.items()})


def csv_lines(users: int) -> Iterator[bytes]:
    return (b"user%d,%d,100\n" % (number, 1000 + number) for number in range(users))


def passwd_lines(users: int) -> Iterator[bytes]:
    return (
        b"user%d:x:%d:100:User number %d:/home/user%d:/bin/sh\n" % (number, 1000 + number, number, number)
        for number in range(users)
    )


def make_site(directory: Path) -> Site:
    program = "from tools.mailspool import main; raise SystemExit(main())"
    account = () if os.geteuid() else ("--user", "nobody")
    command = [sys.executable, "-c", program, "init", str(directory), *account]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return Site(directory)


def take_over(action: str, source: Path, site: Site) -> None:
    program = "from tools.spool_assign import main; raise SystemExit(main())"
    command = [sys.executable, "-c", program, action, "--site", str(site.directory), str(source)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


@dataclass(frozen=True)
class Time:
    """Seconds on the wall and of the processor."""

    wall: float
    processor: float


def timed(work: Callable[[], object]) -> Time:
    wall, processor = time.monotonic(), _processor_seconds()
    work()
    return Time(time.monotonic() - wall, _processor_seconds() - processor)


def _processor_seconds() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def say(what: str, taken: Time) -> None:
    octets = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    memory = f", {octets / 1e6:.0f} MB at most so far" if what.startswith("from-") else ""
    load = os.getloadavg()[0]
    print(f"{what:45} {taken.wall:6.2f} s, processor {taken.processor:6.2f} s{memory}, load {load:.1f}", flush=True)


if __name__ == "__main__":
    main()
