"""Forwarding to an SMTP server that is not ours: Postfix's smtp-sink."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.interop.live_site import LiveSite, open_directory, service_account
from tests.interop.needs import need_program
from tests.interop.peers import PEER_SECONDS, free_port, wait_until_answered

MESSAGE = b"From: a@example.org\nSubject: dots\n\n.\n..\nFrom here\n\xe9\n"


@pytest.mark.interop
def test_a_message_arrives_at_a_smarthost_as_it_was(tmp_path: Path) -> None:
    need_program("smtp-sink")
    port, kept = free_port(), tmp_path / "kept"
    kept.mkdir()
    command = [
        "smtp-sink",
        *(("-u", "root") if service_account() else ()),
        "-d",
        f"{kept}/%M.",
        f"127.0.0.1:{port}",
        "10",
    ]
    with open_directory() as directory, subprocess.Popen(command, stdin=subprocess.DEVNULL) as sink:
        try:
            wait_until_answered(port)
            live = LiveSite(directory, service_account())
            smarthost = ("--set", f"delivery.smarthost=127.0.0.1:{port}", "--set", "delivery.smarthost_tls=none")
            live.init("--set", "auth.schemes=PLAIN", *smarthost)
            live.add_user("ann")
            home = Path(live.show_user("ann")["home"])
            (home / ".qmail").write_text("bob@example.net\n&carl@example.net\n")
            live.deliver("ann", MESSAGE)
        finally:
            sink.terminate()
            sink.wait(PEER_SECONDS)
    (found,) = (file.read_bytes() for file in kept.iterdir())
    envelope, _, message = found.partition(b"Delivered-To: ann@")
    assert envelope.count(b"X-Rcpt-Args: <") == 2
    assert b"X-Mail-Args: <sender@example.org> BODY=8BITMIME\n" in envelope
    assert message.partition(b"\n")[2] == MESSAGE + b"\n"  # smtp-sink writes an empty line behind each
