from __future__ import annotations

import threading
from pathlib import Path

import pytest

from accounts.requests import Granted
from serving.channel import Channel, Frame, socket_pair
from serving.mail_dialogue import parse_listing
from serving.mail_process import run_mail_process, session_order
from spool.kept_snapshots import KeptSnapshots
from spool.mailbox import Maildrop
from spool.mailboxes import open_mailbox
from spool.maildir.directories import Found, MessageDirectories
from spool.settings import SpoolSettings
from tests.mailbox_locations import location_in


def test_it_keeps_what_it_has_seen_while_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    location = location_in(tmp_path)
    (location.path / "new/1732424000.x.host,W=3").write_bytes(b"x\n")
    kept, looks = KeptSnapshots(10_000), []
    scan = MessageDirectories.scan

    def noted(self: MessageDirectories) -> Found:
        looks.append(self)
        return scan(self)

    def open_blocking(_: Granted, share: bool) -> Maildrop:
        return open_mailbox(location, SpoolSettings(root=tmp_path), kept=kept).open_maildrop(share=share)

    monkeypatch.setattr(MessageDirectories, "scan", noted)
    monkeypatch.setattr("spool.stamps.SETTLED_NS", 0)  # nothing changes during the test
    ours, theirs = socket_pair()
    control = Channel(ours)
    thread = threading.Thread(
        target=run_mail_process, args=(open_blocking, Path("/spool"), Channel(theirs)), daemon=True
    )
    thread.start()
    try:
        for _ in range(3):
            near, far = socket_pair()
            with far:
                order = session_order(location.user, location.uid, location.gid, location.home)
                control.send(Frame(order.message, descriptor=far.fileno()))
            with Channel(near) as worker:
                worker.send(Frame({"do": "open"}))
                answer = worker.receive()
                assert answer is not None
                assert parse_listing(answer.body) == ([3], ["1732424000.x.host,W=3"])
            assert control.receive() == Frame({"kind": "idle"})
    finally:
        control.close()
        thread.join(20)
    assert len(looks) == 1
