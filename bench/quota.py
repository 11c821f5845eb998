"""What a limit costs a delivery that is far below it: interleaved runs with and without one, medians.

    python -m bench.quota [DIRECTORY]

Deliveries go to DIRECTORY (default: a new one under the present directory, so that syncs are those of its disk). The figure
is that of a ``maildirsize`` of growing length, counted anew when it is full, as it is in use.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from spool.mailbox import Envelope, Mailbox, MailboxKind
from spool.mailboxes import open_mailbox
from spool.names import UserName
from spool.quota.limits import Limit
from spool.quota.table import Limits
from spool.settings import SpoolSettings
from tests.mailbox_locations import location_in

ROUNDS, DELIVERIES = 9, 100
MESSAGE = [b"Subject: x\n\n" + b"a line of text, as long as lines are\n" * 130]
FAR = Limit(1 << 50, 10**9)


def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else ".") as name:
        directory = Path(name)
        for kind in MailboxKind:
            print(f"{kind.value}, ms for a delivery: {_compare(directory / kind.value, kind)}")
        quotas = directory / "quotas"
        quotas.write_text("".join(f"user{number}:1G,10000\n" for number in range(100_000)))
        began = time.perf_counter()
        assert Limits(quotas, None).of(UserName("user99999")) is not None
        print(f"one limit among 100,000 lines: {1000 * (time.perf_counter() - began):.2f} ms")


def _compare(directory: Path, kind: MailboxKind) -> str:
    directory.mkdir()
    settings = SpoolSettings(root=directory)
    mailboxes = {
        "without a limit": open_mailbox(location_in(directory / "plain", kind), settings),
        "with one": open_mailbox(location_in(directory / "limited", kind), settings, limit=FAR),
    }
    times: dict[str, list[float]] = {name: [] for name in mailboxes}
    for _ in range(ROUNDS):
        for name, mailbox in mailboxes.items():
            times[name].append(_deliveries(mailbox))
    return ", ".join(f"{name} {statistics.median(each):.2f}" for name, each in times.items())


def _deliveries(mailbox: Mailbox) -> float:
    began = time.perf_counter()
    for _ in range(DELIVERIES):
        mailbox.deliver(MESSAGE, Envelope("a@example.org"))
    return 1000 * (time.perf_counter() - began) / DELIVERIES


if __name__ == "__main__":
    main()
