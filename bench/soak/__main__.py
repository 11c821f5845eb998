"""Mixed load for a long time, with every message accounted for at the end.

    python -m bench.soak --minutes 60 [--many-uids] [--users 24] [--pause 0.2] [--disturb-seconds 5] [--results FILE]

Mail is sent over LMTP, by TCP and a UNIX socket, to users with Maildirs and mboxes; POP3 sessions read and delete it.
Meanwhile workers, the authenticator and the spawner are killed, the service is reloaded, homes are moved to another
layout and back, mailboxes converted, and the spool is checked. At the end the service is stopped, started once more,
and all that is left is read. ``bench.soak.ledger`` tells what must be true then. Exit status 3 if it is not.

Run by root the service has an account of its own; with ``--many-uids`` every user has a uid.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from bench.servers import machine
from bench.soak.disturbances import Disturbances, Programs, Service, final_check
from bench.soak.ledger import Account, Ledger
from bench.soak.load import Load, Reader, Sender, read
from bench.soak.watching import Watching
from tests.interop.live_site import LiveSite, service_account
from tests.root.uids import add_users, new_user

SENDERS, READERS = 4, 4
FINISH_SECONDS = 180.0  # for messages that are still being tried when the time is over
REPORT_SECONDS = 60.0


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="soak-", dir=options.work) as name:
        directory = Path(name)
        directory.chmod(0o755)
        site = LiveSite(directory, service_account())
        users = _make(site, options)
        site.start()
        started = time.monotonic()
        ledger = Ledger()
        faults: list[str] = []
        try:
            disturbances, watching, unfinished = _load(site, users, ledger, options)
            faults += [fault for each in disturbances for fault in each.faults]
            faults += [f"{unfinished} messages could not be delivered in {FINISH_SECONDS:g} s"] * bool(unfinished)
        finally:
            exit_status = site.stop()
        faults += [f"the service ended with {exit_status}"] * bool(exit_status)
        site.start()
        try:
            account = ledger.close(_remaining(site, users, ledger))
        finally:
            site.stop()
        checked, findings = final_check(site)
        faults += [f"spool-check at the end: {checked}: {finding}" for finding in findings or [""] if checked]
        faults += _complaints(site)
        report = _report(options, time.monotonic() - started, account, disturbances, watching, faults)
        if options.keep_log:
            options.keep_log.write_text(site.read_log())
    print(_text(report))
    if options.results:
        options.results.write_text(json.dumps(report, indent=1) + "\n")
    return 3 if report["faults"] else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--many-uids", action="store_true", help="every user has a uid of their own; as root")
    parser.add_argument("--users", type=int, default=24)
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between what one connection does")
    parser.add_argument("--disturb-seconds", type=float, default=5.0, help="seconds between two disturbances")
    parser.add_argument("--work", type=Path, help="make the site below this directory (default: TMPDIR)")
    parser.add_argument("--results", type=Path, help="write the report to this file as JSON")
    parser.add_argument("--keep-log", type=Path, help="keep the service's log in this file")
    return parser.parse_args()


def _make(site: LiveSite, options: argparse.Namespace) -> Sequence[str]:
    site.init(
        *("--set", "workers.count=2", "--set", "auth.schemes=PLAIN", "--set", "auth.failure_delay_seconds=0"),
        *("--set", "workers.drain_seconds=5", "--set", "limits.failures_per_address=0"),
        *("--set", "rehash.link_seconds=5"),
        lmtp=True,
    )
    users = [f"user{number}" for number in range(options.users)]
    add_users(site, [new_user(user, n if options.many_uids else None, site) for n, user in enumerate(users)])
    site.run("spool-convert", *users[::2], "--to", "mbox")
    site.run("spool-convert", *users[::2], "--discard", "--grace-seconds", "0")
    return users


def _load(
    site: LiveSite, users: Sequence[str], ledger: Ledger, options: argparse.Namespace
) -> tuple[list[Disturbances], Watching, int]:
    """Run it; also returns how many senders had not finished their message."""
    ending, disturbed = threading.Event(), threading.Event()
    load = Load(ledger, users, itertools.count(1), ending, options.pause)
    places = (site.addresses["lmtp"], site.unix_sockets["lmtp"])
    senders = [Sender(load, places[number % 2]) for number in range(SENDERS)]
    readers = [Reader(load, site.addresses["pop3"]) for _ in range(READERS)]
    disturbances = [
        Disturbances(actions, options.disturb_seconds, disturbed)
        for actions in (Service(site).actions(many_uids=options.many_uids), Programs(site, users).actions())
    ]
    watching = Watching(site, min(30.0, options.minutes * 6), disturbed)
    for thread in (*senders, *readers, *disturbances, watching):
        thread.start()
    end = time.monotonic() + options.minutes * 60
    try:
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, REPORT_SECONDS))
            print(f"{int(left)} s left: {dict(ledger.counts)} {_done(disturbances)}", flush=True)
    finally:
        disturbed.set()
        for thread in (*disturbances, watching):
            thread.join()
        ending.set()
    deadline = time.monotonic() + FINISH_SECONDS
    for thread in (*senders, *readers):
        thread.join(max(0.0, deadline - time.monotonic()))
    return disturbances, watching, sum(sender.is_alive() for sender in senders)


def _done(disturbances: Sequence[Disturbances]) -> dict[str, int]:
    return {name: count for each in disturbances for name, count in each.counts.items()}


def _remaining(site: LiveSite, users: Sequence[str], ledger: Ledger) -> dict[str, list[str]]:
    """Read everything that is left."""
    remaining = {}
    for user in users:
        deadline = time.monotonic() + FINISH_SECONDS
        while (found := read(ledger, site.addresses["pop3"], user, None)) is None:
            if time.monotonic() > deadline:
                raise SystemExit(f"soak: {user} cannot log in at the end")
            time.sleep(1)
        remaining[user] = found
    return remaining


def _complaints(site: LiveSite) -> list[str]:
    """Lines of the log that no fault of ours explains: tracebacks, and what is critical."""
    lines = site.read_log().splitlines()
    return [f"log: {line[:500]}" for line in lines if "Traceback" in line or " critical " in line.lower()][:20]


def _report(
    options: argparse.Namespace, seconds: float, account: Account, disturbances: Sequence[Disturbances], watching: Watching,
    faults: Sequence[str],
) -> dict[str, object]:  # fmt: skip
    return {
        "machine": machine(),
        "minutes": round(seconds / 60, 1),
        "many_uids": options.many_uids,
        "users": options.users,
        "counts": account.counts,
        "disturbances": _done(disturbances),
        "faults": [*account.faults, *faults],
        "samples": watching.samples,
    }


def _text(report: dict[str, object]) -> str:
    lines = [f"{report['minutes']} minutes, {report['users']} users, many uids: {report['many_uids']}"]
    for part in ("counts", "disturbances"):
        figures = report[part]
        assert isinstance(figures, dict)
        lines += [f"  {value:9d} {name}" for name, value in sorted(figures.items())]
    samples = report["samples"]
    assert isinstance(samples, list)
    for label, sample in (("first", samples[:1]), ("middle", samples[len(samples) // 2 :][:1]), ("last", samples[-1:])):
        lines += [f"  {label}: {json.dumps(each)}" for each in sample]
    faults = report["faults"]
    assert isinstance(faults, list)
    lines += [f"FAULT {fault}" for fault in faults] or ["every message is accounted for"]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
