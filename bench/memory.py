"""How much memory an open maildrop takes a message, beside its unique-id: both kinds, without any service.

    python -m bench.memory [--messages 50000]

What is counted is what Python allocates and keeps (tracemalloc) between opening a maildrop and closing it; the unique-ids
are texts that stay for the session, counted apart.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

from spool.mailbox import MailboxKind
from spool.mailboxes import open_mailbox
from spool.settings import SpoolSettings
from tests.mailbox_locations import location_in

TEXT = b"From: sender@example.org\nSubject: message %d\n\nA line of some words.\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=50_000)
    messages = parser.parse_args().messages
    with tempfile.TemporaryDirectory() as name:
        for kind in MailboxKind:
            directory = Path(name) / kind.value
            directory.mkdir()
            location = location_in(directory, kind)
            _fill(location.path, kind, messages)
            _open(location, directory)  # so that an index is there, and modules are loaded
            whole, ids = _open(location, directory)
            print(
                f"{kind.value}: {messages} messages, {whole / messages:.0f} octets a message, of which the unique-ids "
                f"{ids / messages:.0f}: {(whole - ids) / messages:.0f} beside them"
            )


def _fill(path: Path, kind: MailboxKind, messages: int) -> None:
    if kind is MailboxKind.MBOX:
        with path.open("wb") as mbox:
            for number in range(messages):
                mbox.write(b"From a@example.org Sat Jan  1 00:00:00 2022\n" + TEXT % number + b"\n")
        return
    for part in ("tmp", "new", "cur"):
        (path / part).mkdir(parents=True, exist_ok=True)
    now = int(time.time()) - 3600
    for number in range(messages):
        text = TEXT % number
        wire = len(text) + text.count(b"\n")
        (path / "new" / f"{now}.M{number}P1.host,S={len(text)},W={wire}").write_bytes(text)


def _open(location: object, directory: Path) -> tuple[int, int]:
    mailbox = open_mailbox(location, SpoolSettings(root=directory))  # type: ignore[arg-type]
    gc.collect()
    tracemalloc.start()
    maildrop = mailbox.open_maildrop()
    gc.collect()
    whole = tracemalloc.get_traced_memory()[0]
    ids = sum(sys.getsizeof(each) for each in maildrop.unique_ids)
    maildrop.close()
    tracemalloc.stop()
    return whole, ids


if __name__ == "__main__":
    main()
