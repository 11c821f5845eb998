"""Tests of ``delivery.forwarding``, with a shell script as the sendmail."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from delivery.errors import ForwardingDeferredError, ForwardingRefusedError
from delivery.forwarding import SendmailForwarder, expanded
from delivery.messages import Message

MESSAGE = b"Subject: x\n\n.\nbody\n"
DELIVERED_TO = b"Delivered-To: joe@a.org\n"


def sendmail(directory: Path, status: int = 0) -> list[str]:
    """A command that writes its arguments and its input down and exits."""
    script = directory / "sendmail.py"
    script.write_text(
        "import json, sys\n"
        f"with open({str(directory / 'calls')!r}, 'a') as calls:\n"
        "    print(json.dumps([sys.argv[1:], sys.stdin.read()]), file=calls)\n"
        f"sys.exit({status})\n"
    )
    return [sys.executable, "-I", str(script)]


def calls(directory: Path) -> list[tuple[list[str], str]]:
    return [tuple(json.loads(line)) for line in (directory / "calls").read_text().splitlines()]


def forward(command: list[str], sender: str | None, *recipients: str) -> None:
    SendmailForwarder(command).forward(Message.of([MESSAGE]), DELIVERED_TO, sender, recipients)


def test_one_call_has_all_recipients_and_the_line_on_top(tmp_path: Path) -> None:
    forward(sendmail(tmp_path), "s@x", "a@b", "-c@d")
    assert calls(tmp_path) == [
        (["-i", "-f", "s@x", "--", "a@b", "-c@d"], (DELIVERED_TO + MESSAGE).decode()),
    ]


def test_the_null_sender_is_written_as_such(tmp_path: Path) -> None:
    forward(sendmail(tmp_path), None, "a@b")
    assert calls(tmp_path)[0][0] == ["-i", "-f", "<>", "--", "a@b"]


def test_each_recipient_has_a_sender_of_their_own_where_the_list_asks_for_it() -> None:
    assert list(expanded("joe-list-owner-@a.org-@[]", ["bob@b.net", "ann@c.net"])) == [
        ("joe-list-owner-bob=b.net@a.org", ("bob@b.net",)),
        ("joe-list-owner-ann=c.net@a.org", ("ann@c.net",)),
    ]
    assert list(expanded("s@x", ["bob@b.net"])) == [("s@x", ["bob@b.net"])]


@pytest.mark.parametrize("status", [65, 67, 68])
def test_what_no_sendmail_takes_is_refused(tmp_path: Path, status: int) -> None:
    with pytest.raises(ForwardingRefusedError) as trouble:
        forward(sendmail(tmp_path, status), "s@x", "a@b")
    assert trouble.value.status.permanent


@pytest.mark.parametrize("status", [1, 64, 69, 71, 75, 111])
def test_any_other_trouble_is_temporary(tmp_path: Path, status: int) -> None:
    with pytest.raises(ForwardingDeferredError, match=f"exit status {status}") as trouble:
        forward(sendmail(tmp_path, status), "s@x", "a@b")
    assert not trouble.value.status.permanent


def test_a_missing_sendmail_is_temporary() -> None:
    with pytest.raises(ForwardingDeferredError, match="No such file"):
        forward(["/no/such/sendmail"], "s@x", "a@b")
