"""Measure how long one message to 2,000 users takes, and what users who hang cost the others.

    python -m bench.scenario [--repetitions 5] [--ways direct,postfix-virtual] [--hangs 0,30,300,1000]
                             [--site one-uid|many-uid] [--set SECTION.KEY=VALUE] [--results FILE]

The case study's site: 2,000 users in 8 domains. Ways: Postfix (injected with its sendmail) through our LMTP, through
dovecot-lmtpd and by its virtual(8), and a small client that speaks LMTP to us over 8 connections. Through LMTP Postfix
sends up to 1,000 recipients in one transaction, as our how-to has it, or its default of 50 (``-50``). With our
LMTP 30, 300 or 1,000 users have a program that hangs, and 20 others homes on a file system that does.

Each run starts its servers anew, sends one message to 40 users to warm them, then the message that counts. It is
measured when healthy users have it, from the moment before it was handed over. Runs take turns. Needs root, Postfix,
Dovecot and FUSE; everything is on loopback. After each run every healthy user must have one copy, and those who hang
none. After the last repetition it is also waited until each of those has a temporary refusal, or waits in Postfix.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.hung_file_system import hung_file_system
from bench.scenario.arrivals import Arrivals
from bench.scenario.population import Hangs, Population
from bench.scenario.ways import WAYS, RunningWay, Servers, Way, able
from bench.servers import machine, make_account, owner

ARRIVE_SECONDS = 120.0
WARM_SECONDS = 20.0
REPLY_SECONDS = 90.0
WARM = 40
MESSAGE = b"From: list@example.org\nTo: all@domain0.example\nSubject: to all\n\n" + b"A line of the message.\n" * 200
AIMS = (  # (this way, in time, of that way)
    ("postfix-ours", 0.7, ("postfix-dovecot", "postfix-dovecot-50")),
    ("direct", 1.0, ("postfix-virtual",)),
)
HANG_AIM = 1.2


@dataclass(frozen=True)
class Case:
    """A way, with who hangs in it."""

    way: Way
    hangs: Hangs

    def __str__(self) -> str:
        return f"{self.way.name}, {self.hangs}"


def main() -> int:
    options = _options()
    if (missing := able()) is not None:
        print(f"scenario: missing: {missing}", file=sys.stderr)
        return 1
    make_account()
    with tempfile.TemporaryDirectory(prefix="scenario-", dir=options.work) as name:
        directory = Path(name)
        directory.chmod(0o755)
        population = Population(directory / "data", owner() if options.site == "one-uid" else None)
        population.make()
        servers = Servers(directory, population, options.set)
        cases = _cases(options)
        runs: dict[Case, list[dict[str, float]]] = {case: [] for case in cases}
        for repetition in range(options.repetitions):
            for case in cases:
                last = repetition == options.repetitions - 1
                figures = _run(servers, population, case, settle=last)
                runs[case].append(figures)
                print(f"{case!s:45s} " + "  ".join(f"{key} {value:.3f}" for key, value in figures.items()), flush=True)
    report = {str(case): _medians(each) for case, each in runs.items()}
    aims = list(_aims(report))
    print("\nmedians, seconds until healthy users have it")
    for case, figures in report.items():
        print(f"{case:45s} " + "  ".join(f"{key} {value:.3f}" for key, value in figures.items()))
    for aim in aims:
        print(f"{aim['case']}: {aim['ratio']:.2f} of {aim['of']} (aim {aim['aim']:g})")
    if options.results:
        facts = {"machine": machine(), "site": options.site, "runs": {str(c): r for c, r in runs.items()}, "aims": aims}
        options.results.write_text(json.dumps(facts, indent=1) + "\n")
    return 0 if all(aim["ratio"] <= aim["aim"] for aim in aims) else 3


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--ways", type=lambda text: text.split(","), default=[*WAYS], help=f"of {','.join(WAYS)}")
    parser.add_argument("--hangs", type=lambda text: [int(n) for n in text.split(",")], default=[0, 30, 300, 1000])
    parser.add_argument("--site", choices=("one-uid", "many-uid"), default="one-uid", help="whose uids our users have")
    parser.add_argument("--set", metavar="SECTION.KEY=VALUE", action="append", default=[], help="a setting of our site")
    parser.add_argument("--work", type=Path, help="make the mail below this directory (default: TMPDIR)")
    parser.add_argument("--results", type=Path, help="write the figures to this file")
    return parser.parse_args()


def _cases(options: argparse.Namespace) -> list[Case]:
    """Everything with nobody hanging; our own ways also with programs and homes that hang."""
    cases = []
    for name in options.ways:
        way = WAYS[name]
        if 0 in options.hangs:
            cases.append(Case(way, Hangs()))
        if way.lmtp == "ours" and not name.endswith("-50"):
            cases += [Case(way, Hangs(programs, homes=True)) for programs in options.hangs if programs]
    return cases


def _run(servers: Servers, population: Population, case: Case, *, settle: bool) -> dict[str, float]:
    population.prepare(case.hangs)
    hung = population.hung(case.hangs)
    healthy = [name for name in population.names if name not in hung]
    with contextlib.ExitStack() as stack:
        arrivals = stack.enter_context(Arrivals({name: population.new(name) for name in healthy}))
        if case.hangs.homes:
            stack.enter_context(hung_file_system(population.hung_directory))
        way = stack.enter_context(servers.running(case.way))
        _warm(way, population, healthy[:WARM])
        before = way.processor_seconds()
        begun = time.time()
        direct = way.send(population.names, MESSAGE)
        handed_over = time.time() - begun
        missing = arrivals.wait(ARRIVE_SECONDS)
        used = way.processor_seconds() - before
        if missing:
            raise SystemExit(f"scenario: {case}: {len(missing)} healthy users have no message, {min(missing)} is one")
        if settle:
            if direct is not None:
                replies = direct.wait(REPLY_SECONDS)
                _check(case, sorted(population.address(name) for name in hung),
                       sorted(address for address, reply in replies.items() if reply[:1] == b"4"))  # fmt: skip
            elif way.queue is not None:
                _wait_for_queue(case, way, sorted(population.address(name) for name in hung))
        elif direct is not None:
            direct.abandon()
        instants = arrivals.instants()
    twice = [name for name, each in instants.items() if len(each) != 1]
    if twice:
        raise SystemExit(f"scenario: {case}: {len(twice)} healthy users have more than one copy, {twice[0]} is one")
    seconds = sorted(each[0] - begun for each in instants.values())
    cuts = statistics.quantiles(seconds, n=100)
    return {
        "p50": cuts[49], "p99": cuts[98], "all": seconds[-1], "handed_over": handed_over, "processor": used
    }  # fmt: skip


def _warm(way: RunningWay, population: Population, names: list[str]) -> None:
    """Send a message that does not count, and remove it."""
    with Arrivals({name: population.new(name) for name in names}) as arrivals:
        direct = way.send(names, MESSAGE)
        if missing := arrivals.wait(WARM_SECONDS):
            raise SystemExit(f"scenario: {min(missing)} and others do not get their message:\n{way.logged()}")
        if direct is not None:
            direct.wait(REPLY_SECONDS)
            direct.abandon()
        while way.queue is not None and way.queue.addresses():
            time.sleep(0.1)
    for name in names:
        for left in population.new(name).iterdir():
            left.unlink()


def _wait_for_queue(case: Case, way: RunningWay, expected: list[str]) -> None:
    """Wait until only those who hang are left in Postfix's queue."""
    assert way.queue is not None
    end = time.monotonic() + REPLY_SECONDS
    while (found := sorted(way.queue.addresses())) != expected and time.monotonic() < end:
        time.sleep(0.5)
    _check(case, expected, found)


def _check(case: Case, expected: list[str], found: list[str]) -> None:
    if found != expected:
        lost, more = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
        raise SystemExit(f"scenario: {case}: not deferred: {lost[:5]}; deferred without need: {more[:5]}")


def _medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def _aims(report: dict[str, dict[str, float]]):
    for name, aim, others in AIMS:
        case = str(Case(WAYS[name], Hangs()))
        compared = {
            other: report[other]["all"] for other in (str(Case(WAYS[o], Hangs())) for o in others) if other in report
        }
        if case in report and compared:
            fastest = min(compared, key=compared.__getitem__)
            yield {"case": case, "of": fastest, "ratio": report[case]["all"] / compared[fastest], "aim": aim}
    for case, figures in report.items():
        name, _, hangs = case.partition(", ")
        calm = str(Case(WAYS[name], Hangs()))
        if case != calm and calm in report:
            yield {"case": case, "of": calm, "ratio": figures["all"] / report[calm]["all"], "aim": HANG_AIM}


if __name__ == "__main__":
    sys.exit(main())
