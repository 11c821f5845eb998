"""Tests of ``delivery.companions.autoreply`` and ``handing_over``."""

from __future__ import annotations

import json
import os
import sys
from email.message import EmailMessage
from pathlib import Path

import pytest

from delivery.companions.autoreply import INTERVAL_SECONDS, Answer, answer_to, claim, reply
from delivery.companions.handing_over import hand_over
from delivery.errors import ForwardingDeferredError
from delivery.messages import standard_input

ANSWER = Answer("I am away.\n", None, frozenset({"joseph@a.org"}))
HEAD = b"From: Ann <ann@x.org>\nTo: Joe <joe@a.org>\nSubject: =?utf-8?q?caf=C3=A9?=\nMessage-ID: <1@x.org>\n\nbody\n"


def answered(head: bytes = HEAD, sender: str = "ann@x.org") -> EmailMessage | None:
    return answer_to(head, sender, "joe@a.org", ANSWER)


def test_an_answer_has_the_fields_that_keep_it_harmless() -> None:
    reply_ = answered()
    assert reply_ is not None
    assert {
        name: reply_[name] for name in ("From", "To", "Subject", "Auto-Submitted", "In-Reply-To", "References")
    } == {
        "From": "joe@a.org",
        "To": "ann@x.org",
        "Subject": "Auto: café",
        "Auto-Submitted": "auto-replied",
        "In-Reply-To": "<1@x.org>",
        "References": "<1@x.org>",
    }
    assert reply_.get_content() == "I am away.\n"


@pytest.mark.parametrize(
    "sender",
    [
        "",
        "#@[]",
        "ann",
        "änn@x.org",
        "a\nn@x.org",
        "@x.org",
        "MAILER-DAEMON@x.org",
        "owner-list@x.org",
        "list-request@x.org",
        "list-bounces+joe=a.org@x.org",
        "bounce-12-joe@x.org",
        "no-reply@x.org",
        "postmaster@x.org",
    ],
)
def test_no_daemon_and_no_list_is_answered(sender: str) -> None:
    assert answered(sender=sender) is None


@pytest.mark.parametrize(
    "field",
    [
        "Auto-Submitted: auto-generated",
        "Auto-Submitted: auto-replied (vacation)",
        "Precedence: bulk",
        "Precedence: list",
        "List-Id: <cooking.x.org>",
        "List-Unsubscribe: <mailto:x@y>",
        "X-Auto-Response-Suppress: All",
        "Mailing-List: contact x",
    ],
)
def test_nothing_automatic_is_answered(field: str) -> None:
    assert answered(field.encode() + b"\n" + HEAD) is None


def test_a_message_marked_as_a_persons_is_answered() -> None:
    assert answered(b"Auto-Submitted: no\nPrecedence: first-class\n" + HEAD) is not None


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        (b"To: joe@a.org", True),
        (b"Cc: x@y.org, Joseph <JOSEPH@A.ORG>", True),
        (b"To: list@y.org", False),
        (b"Bcc: joe@a.org", False),
        (b"To: undisclosed-recipients:;", False),
        (b"To: \xff\xfe<<", False),
    ],
)
def test_only_mail_that_names_the_user_is_answered(to: bytes, expected: bool) -> None:
    assert (answered(to + b"\nSubject: x\n\n") is not None) is expected


def test_a_subject_cannot_add_a_field() -> None:
    reply_ = answered(b"To: joe@a.org\nSubject: =?utf-8?q?x=0D=0ABcc:_victim@y.org?=\n\n")
    assert reply_ is None or reply_["Bcc"] is None


def test_a_sender_is_claimed_once_in_the_interval(tmp_path: Path) -> None:
    directory = tmp_path / "answered"
    assert claim(directory, "Ann@x.org", 100, now=1000)
    assert not claim(directory, "ann@X.org", 100, now=1050)
    assert claim(directory, "bob@x.org", 100, now=1050)
    assert claim(directory, "ann@x.org", 100, now=1101)
    assert len(list(directory.iterdir())) == 2
    assert claim(directory, "ann@x.org", 100, now=2000)
    assert len(list(directory.iterdir())) == 1


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site whose sendmail writes down what it gets."""
    script = tmp_path / "sendmail.py"
    script.write_text(
        "import json, sys\n"
        f"with open({str(tmp_path / 'calls')!r}, 'a') as calls:\n"
        "    print(json.dumps([sys.argv[1:], sys.stdin.read()]), file=calls)\n"
    )
    (tmp_path / "mailspool.toml").write_text(
        f'[delivery]\nsendmail = ["{sys.executable}", "-I", "{script}"]\n', encoding="utf-8"
    )
    return tmp_path


def calls(site: Path) -> list[list[object]]:
    file = site / "calls"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def environment(site: Path, **variables: str) -> dict[str, str]:
    return {"MAILSPOOL_SITE": str(site), "SENDER": "ann@x.org", "RECIPIENT": "joe@a.org", **variables}


def test_an_answer_is_sent_once_with_the_null_sender(site: Path) -> None:
    os.dup2(standard_input([HEAD]), 0)
    variables = environment(site)
    assert reply(variables, ANSWER, site / "answered")
    assert not reply(variables, ANSWER, site / "answered")
    ((arguments, text),) = calls(site)
    assert arguments == ["-i", "-f", "<>", "--", "ann@x.org"]
    assert "I am away." in str(text)
    assert INTERVAL_SECONDS == 7 * 24 * 3600


def test_no_answer_leaves_no_mark(site: Path) -> None:
    os.dup2(standard_input([HEAD]), 0)
    assert not reply(environment(site, SENDER=""), ANSWER, site / "answered")
    assert not (site / "answered").exists()


def test_a_message_is_handed_over_with_its_line(site: Path, message: bytes) -> None:
    hand_over(environment(site, DTLINE="Delivered-To: joe@a.org\n"), "s@x", ["bob@y.org"])
    assert calls(site) == [[["-i", "-f", "s@x", "--", "bob@y.org"], "Delivered-To: joe@a.org\n" + message.decode()]]


def test_without_a_sendmail_it_stays_ours(tmp_path: Path) -> None:
    (tmp_path / "mailspool.toml").write_text("")
    with pytest.raises(ForwardingDeferredError, match="nothing can be forwarded"):
        hand_over(environment(tmp_path, DTLINE="Delivered-To: joe@a.org\n"), "s@x", ["bob@y.org"])
