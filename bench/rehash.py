"""How fast ``spool-rehash run`` moves a spool of many small mailboxes while mail arrives in it.

    python -m bench.rehash [--mailboxes 100000] [--messages 5] [--directory DIR] [--from letter] [--to hex2]

Makes a site of one uid below DIR, fills it, and delivers into random mailboxes by a process of its own while the site
is moved. Afterwards each delivery that was acknowledged must be there. Prints mailboxes a second, deliveries a second
before and meanwhile, and what one publication of ``assign.cdb`` takes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import tempfile
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final

from spool.assign import AssignRecord, Assignment, Wildcard, format_assign, publish_assign
from spool.assign_directory import AssignDirectory
from spool.assign_edits import HomeMove
from spool.errors import SpoolError
from spool.homes import locate_mailbox
from spool.layouts import LAYOUTS, layout_named
from spool.mailbox import Envelope
from spool.mailboxes import open_mailbox
from spool.names import UserName
from spool.progress import NoProgress
from spool.rehash.planning import Wanted
from spool.rehash.rehash import BATCH_MAILBOXES, Means, run
from spool.rehash.settings import RehashSettings
from spool.roster import Roster
from spool.settings import SpoolSettings
from spool.site import Site

_MESSAGE: Final = b"Subject: bench\n\n" + b"x" * 500 + b"\n"
_STATE_DIRECTORY: Final = ".mailspool"


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mailboxes", type=int, default=100_000)
    parser.add_argument("--messages", type=int, default=5)
    parser.add_argument("--batch", type=int, default=BATCH_MAILBOXES)
    parser.add_argument("--directory", type=Path, default=None)
    parser.add_argument("--from", dest="layout", choices=list(LAYOUTS), default="letter")
    parser.add_argument("--to", choices=list(LAYOUTS), default="hex2")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="mailspool-bench-rehash-", dir=options.directory))
    try:
        print(json.dumps(measure(directory, options), indent=2))
    finally:
        shutil.rmtree(directory)


def measure(directory: Path, options: argparse.Namespace) -> dict[str, object]:
    """Make the site, move it while mail arrives, and see that all mail is there."""
    site, settings = Site(directory / "site"), SpoolSettings(directory / "mail", layout=options.layout)
    names = [f"user{number:06}" for number in range(options.mailboxes)]
    _fill(site, settings, names, options.messages)
    os.sync()
    stop = multiprocessing.Event()
    delivered: multiprocessing.Queue[list[tuple[float, str, str]]] = multiprocessing.Queue()
    arrival = multiprocessing.Process(target=_deliver, args=(site, settings, names, stop, delivered))
    arrival.start()
    time.sleep(3)
    began, cpu_began = time.time(), time.process_time()
    means = Means(RehashSettings(link_seconds=0), uid_min=0, batch=options.batch)
    report = run(site, settings, Wanted(options.to), means, NoProgress())
    whole, cpu = time.time() - began, time.process_time() - cpu_began
    stop.set()
    arrivals = delivered.get()
    arrival.join()
    missing = sum(not _is_there(site, name, place) for _, name, place in arrivals)
    meanwhile = [when for when, _, _ in arrivals if began <= when <= began + whole]
    return {
        "mailboxes": report.moved,
        "messages each": options.messages,
        "from, to": [options.layout, options.to],
        "batch": options.batch,
        "moving and publishing, seconds": round(report.seconds, 1),
        "mailboxes a second": round(report.moved / report.seconds),
        "with removing the links, seconds": round(whole, 1),
        "mailboxes a second with all": round(report.moved / whole),
        "mailboxes a CPU second with all": round(report.moved / cpu),
        "one publication, seconds": round(_publication_seconds(site, settings), 2),
        "busy": len(report.busy),
        "failed": len(report.failed),
        "deliveries a second before": round((len(arrivals) - len(meanwhile)) / 3),
        "deliveries a second meanwhile": round(len(meanwhile) / whole),
        "deliveries acknowledged": len(arrivals),
        "of these missing": missing,
    }


def _fill(site: Site, settings: SpoolSettings, names: list[str], messages: int) -> None:
    """Make homes as ``mailspool user add`` does, but without a sync for each."""
    site.control.mkdir(parents=True)
    settings.root.mkdir(parents=True)
    site.settings_file.write_text(f'[spool]\nroot = "{settings.root}"\nlayout = "{settings.layout}"\n')
    site.locals.write_text("example.org\n")
    layout = layout_named(settings.layout)
    lines: list[Assignment | Wildcard] = []
    for name in names:
        home = layout.path(settings.root, UserName(name))
        (home / _STATE_DIRECTORY).mkdir(0o700, parents=True)
        for part in ("tmp", "new", "cur"):
            (home / "Maildir" / part).mkdir(0o700, parents=True)
        for number in range(messages):
            (home / "Maildir" / "new" / f"{number}.{name}").write_bytes(_MESSAGE)
        record = AssignRecord(name, os.getuid(), os.getgid(), home)
        lines += [Assignment(name, record), Wildcard(f"{name}-", AssignRecord(name, record.uid, record.gid, home, "-"))]
    site.assign.write_bytes(format_assign(lines))
    publish_assign(lines, site.assign_compiled)


def _deliver(
    site: Site,
    settings: SpoolSettings,
    names: list[str],
    stop: Event,
    delivered: multiprocessing.Queue[list[tuple[float, str, str]]],
) -> None:
    directory = AssignDirectory(site.assign_compiled)
    chance = random.Random(1)
    done: list[tuple[float, str, str]] = []
    while not stop.is_set():
        name = UserName(chance.choice(names))
        record = directory.user(name)
        try:
            location = locate_mailbox(name, uid=record.uid, gid=record.gid, home=record.home, settings=settings)
            place = open_mailbox(location, settings).deliver([_MESSAGE], Envelope(None)).place
        except SpoolError as error:
            print(f"not delivered: {error}", flush=True)
            continue
        done.append((time.time(), name.text, place))
    delivered.put(done)


def _is_there(site: Site, name: str, place: str) -> bool:
    home = AssignDirectory(site.assign_compiled).user(UserName(name)).home
    return (home / "Maildir" / "new" / place).exists()


def _publication_seconds(site: Site, settings: SpoolSettings) -> float:
    roster = Roster(site, settings)
    user, record = next(roster.users())
    began = time.monotonic()
    roster.move_homes({user: HomeMove(record.home, record.home / "x")})
    return time.monotonic() - began


if __name__ == "__main__":
    main()
