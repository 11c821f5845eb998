"""Tests of ``mta.smtp.session``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mta.smtp.commands import COMMAND_OCTETS_MAX
from mta.smtp.replies import DELIVERED, TOO_LARGE, Reply
from mta.smtp.session import ERRORS_MAX, State
from mta.smtp.steps import Envelope
from tests.unit.mta.smtp.talk import Talk, codes

LATER = Reply(451, "4.3.0", "later")
BODY = b"Subject: x\r\n\r\nbody\r\n"
STORED = BODY.replace(b"\r\n", b"\n")


def test_a_message_gets_one_reply_for_each_recipient_in_their_order() -> None:
    talk = Talk(decide=lambda recipient: LATER if recipient == "b@y" else DELIVERED)
    assert talk.sent == b"220 mail.example.org LMTP\r\n"
    assert talk.ask("LHLO c", "MAIL FROM:<s@x>", "RCPT TO:<a@y>", "RCPT TO:<no@y>", "RCPT TO:<b@y>", "DATA") == [
        "250",
        "250 2.1.0",
        "250 2.1.5",
        "550 5.1.1",
        "250 2.1.5",
        "354",
    ]
    assert codes(talk.say(BODY + b".\r\n")) == ["250 2.1.5", "451 4.3.0"]
    assert talk.delivered == [(Envelope("s@x", ("a@y", "b@y")), STORED)]
    assert talk.ask("MAIL FROM:<>", "QUIT") == ["250 2.1.0", "221 2.0.0"]
    assert talk.closed


def test_lhlo_tells_what_is_known() -> None:
    talk = Talk(tls_available=True)
    assert talk.say(b"LHLO c\r\n").decode().splitlines() == [
        "250-mail.example.org",
        "250-PIPELINING",
        "250-8BITMIME",
        "250-SMTPUTF8",
        "250-CHUNKING",
        "250-SIZE 10000",
        "250-STARTTLS",
        "250 ENHANCEDSTATUSCODES",
    ]


def test_a_reply_waits_for_those_before_it() -> None:
    talk = Talk()
    talk.hold = True
    talk.begin("a@y", "b@y", "c@y")
    talk.say(b"DATA\r\n" + BODY + b".\r\nNOOP\r\n")
    assert talk.session.state is State.DECIDING
    assert talk.decide(2, LATER) == b""
    assert codes(talk.decide(0, DELIVERED)) == ["250 2.1.5"]
    assert codes(talk.decide(1, DELIVERED)) == ["250 2.1.5", "451 4.3.0", "250 2.0.0"]  # and that of NOOP
    assert talk.session.pending == 0


@given(st.data())
def test_a_dialogue_does_not_depend_on_how_it_is_cut(data: st.DataObject) -> None:
    stream = (
        b"LHLO c\r\nMAIL FROM:<s@x>\r\nRCPT TO:<a@y>\r\nRCPT TO:<no@y>\r\nDATA\r\n..stuffed\r\n\r\n.\r\n"
        b"MAIL FROM:<>\r\nRCPT TO:<b@y>\r\nBDAT 5\r\nab\r\ncBDAT 4 LAST\r\nd\r\n.QUIT\r\n"
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    talk = Talk()
    talk.say(*(stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)))
    assert talk.delivered == [
        (Envelope("s@x", ("a@y",)), b".stuffed\n\n"),
        (Envelope(None, ("b@y",)), b"ab\ncd\n."),
    ]
    assert talk.closed


@pytest.mark.parametrize("line", ["MAIL FROM:<a@b>", "RCPT TO:<a@b>", "DATA", "BDAT 0"])
def test_commands_have_an_order(line: str) -> None:
    (code,) = Talk().ask(line)
    assert code == "503 5.5.1"


def test_without_a_recipient_there_is_no_message() -> None:
    talk = Talk()
    assert talk.ask("LHLO c", "MAIL FROM:<s@x>", "RCPT TO:<no@y>", "DATA")[-1] == "503 5.5.1"
    assert talk.ask("MAIL FROM:<s@x>") == ["503 5.5.1"]
    assert talk.ask("RSET", "MAIL FROM:<s@x>") == ["250 2.0.0", "250 2.1.0"]


@pytest.mark.parametrize("cut", [1, 5, 40_000])
def test_a_refused_chunk_is_thrown_away_before_it_is_answered(cut: int) -> None:
    talk = Talk()
    talk.ask("LHLO c", "MAIL FROM:<s@x>", "RCPT TO:<no@y>")
    chunk = b"RCPT TO:<a@y>\r\n" * (200 if cut > 5 else 1) * 10
    assert talk.say(b"BDAT %d LAST\r\n" % len(chunk), chunk[:-1]) == b""
    rest = chunk[-1:] + b"RCPT TO:<a@y>\r\nBDAT 3 LAST\r\nabcBDAT 0\r\nMAIL FROM:<t@x>\r\n"
    answers = talk.say(*(rest[at : at + cut] for at in range(0, len(rest), cut)))
    assert codes(answers) == ["503 5.5.1", "250 2.1.5", "250 2.1.5", "503 5.5.1", "250 2.1.0"]
    assert talk.delivered == [(Envelope("s@x", ("a@y",)), b"abc")]


def test_a_chunk_of_unknown_length_ends_the_session() -> None:
    talk = Talk()
    talk.begin("a@y")
    assert codes(talk.say(b"BDAT twelve LAST\r\nRCPT TO:<a@y>\r\n")) == ["501 5.5.4"]
    assert talk.closed


def test_refused_chunks_are_counted_as_errors() -> None:
    talk = Talk()
    talk.ask("LHLO c")
    assert codes(talk.say(b"BDAT 1\r\nx" * (ERRORS_MAX + 1)))[-1] == "421 4.7.0"
    assert talk.closed


def test_rset_forgets_a_message_between_chunks() -> None:
    talk = Talk()
    talk.begin("a@y")
    assert codes(talk.say(b"BDAT 3\r\nabcRSET\r\n")) == ["250 2.0.0", "250 2.0.0"]
    assert (talk.content, talk.delivered) == (b"", [])
    assert talk.ask("MAIL FROM:<s@x>") == ["250 2.1.0"]


def test_between_chunks_there_is_no_other_recipient() -> None:
    talk = Talk()
    talk.begin("a@y")
    talk.say(b"BDAT 3\r\nabc")
    assert talk.ask("RCPT TO:<b@y>", "DATA") == ["503 5.5.1", "503 5.5.1"]


@pytest.mark.parametrize("body", [b"x" * 11_000, b"x\r\n" * 6_000])
def test_a_message_that_is_too_large_is_refused_for_each_and_not_kept(body: bytes) -> None:
    talk = Talk()
    talk.begin("a@y", "b@y")
    assert codes(talk.say(b"DATA\r\n" + body + b"\r\n.\r\n")) == ["354", "552 5.3.4", "552 5.3.4"]
    assert talk.delivered == []
    assert talk.refused == [("a@y", TOO_LARGE), ("b@y", TOO_LARGE)]
    assert talk.ask("MAIL FROM:<s@x> SIZE=10001", "MAIL FROM:<s@x> SIZE=10000") == ["552 5.3.4", "250 2.1.0"]


def test_what_comes_of_a_message_beyond_the_limit_is_not_kept() -> None:
    talk = Talk()
    talk.begin("a@y")
    talk.say(b"DATA\r\n", b"x" * 9_000, b"y" * 9_000, b"z" * 9_000)
    assert talk.content == b"x" * 9_000
    assert codes(talk.say(b"\r\n.\r\n")) == ["552 5.3.4"]


@pytest.mark.parametrize("refuse", [True, False])
@pytest.mark.parametrize("how", ["DATA", "BDAT"])
def test_line_ends_alone_are_kept_or_refused(refuse: bool, how: str) -> None:
    talk = Talk(refuse_bare_line_ends=refuse)
    talk.begin("a@y")
    sent = b"DATA\r\na\n.\nb\r\n.\r\n" if how == "DATA" else b"BDAT 7 LAST\r\na\n.\nb\r\n"
    assert codes(talk.say(sent))[-1] == ("550 5.6.0" if refuse else "250 2.1.5")
    assert [content for _, content in talk.delivered] == [] if refuse else [b"a\n.\nb\n"]


def test_recipients_are_bounded() -> None:
    talk = Talk()
    talk.begin(*(f"u{number}@y" for number in range(5)))
    assert talk.ask("RCPT TO:<one-more@y>", "RCPT TO:<>") == ["452 4.5.3", "501 5.1.3"]


def test_a_line_without_end_ends_the_session() -> None:
    talk = Talk()
    assert codes(talk.say(b"NOOP " + b"x" * COMMAND_OCTETS_MAX)) == ["500 5.5.2"]
    assert talk.closed
    assert talk.say(b"NOOP\r\n") == b""


def test_a_client_that_only_errs_is_sent_away() -> None:
    talk = Talk()
    answers = talk.ask(*["XYZZY"] * (ERRORS_MAX + 1))
    assert answers == ["500 5.5.1"] * ERRORS_MAX + ["421 4.7.0"]
    assert talk.closed


def test_what_was_said_before_tls_does_not_hold() -> None:
    talk = Talk(tls_available=True)
    assert talk.ask("LHLO c", "STARTTLS") == ["250", "220 2.0.0"]
    assert (talk.tls, talk.session.state) == (1, State.CONNECTED)
    assert talk.ask("MAIL FROM:<s@x>", "LHLO c", "STARTTLS") == ["503 5.5.1", "250", "503 5.5.1"]


def test_commands_smuggled_in_before_tls_are_forgotten() -> None:
    talk = Talk(tls_available=True)
    assert codes(talk.say(b"LHLO c\r\nSTARTTLS\r\nLHLO evil\r\nMAIL FROM:<evil@x>\r\n")) == ["250", "220 2.0.0"]
    assert talk.session.pending == 0


@pytest.mark.parametrize(("end", "code"), [("timed_out", "421 4.4.2"), ("restarting", "421 4.3.2")])
def test_a_session_can_be_ended(end: str, code: str) -> None:
    talk = Talk()
    talk._carry_out(getattr(talk.session, end)())
    assert codes(talk.sent)[-1] == code
    assert talk.closed


def test_small_commands_are_answered() -> None:
    assert Talk().ask("NOOP", "VRFY joe", "RSET", "HELO x", "EHLO x") == [
        "250 2.0.0",
        "252 2.5.0",
        "250 2.0.0",
        "500 5.5.1",
        "500 5.5.1",
    ]
