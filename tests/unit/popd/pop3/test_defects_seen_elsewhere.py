"""Symptoms of other POP3 servers, each of which must not be seen here."""

from __future__ import annotations

import pytest

from popd.pop3.steps import SessionPolicy
from tests.dialogues.fake_shell import Account, FakeShell, MemoryMaildrop

POLICY = SessionPolicy(user_cleartext=True, tls_available=True)
ONE = b"Subject: one\r\n\r\nbody\r\n"


def shell(*messages: bytes, login: bool = True, slow: bool = False) -> FakeShell:
    maildrop = MemoryMaildrop(list(messages), [f"id{n}" for n in range(1, len(messages) + 1)])
    fake = FakeShell(POLICY, {b"mrose": Account(maildrop, password=b"secret")}, slow=slow)
    if login:
        fake.line(b"USER mrose")
        fake.line(b"PASS secret")
    fake.sent.clear()
    fake.writes.clear()
    return fake


def said(fake: FakeShell, *lines: bytes) -> bytes:
    for line in lines:
        fake.line(line)
    octets = bytes(fake.sent)
    fake.sent.clear()
    return octets


def test_uidl_of_one_message_repeats_the_number() -> None:
    assert said(shell(ONE), b"UIDL 1") == b"+OK 1 id1\r\n"


def test_a_deleted_message_is_not_counted_listed_or_deleted_again() -> None:
    fake = shell(ONE, ONE)
    said(fake, b"DELE 1")
    assert said(fake, b"STAT") == b"+OK 1 %d\r\n" % len(ONE)
    assert b"\r\n1 " not in said(fake, b"LIST", b"UIDL")
    assert said(fake, b"DELE 1", b"DELE 99") == b"-ERR no such message\r\n" * 2


def test_a_dot_at_the_very_beginning_is_stuffed() -> None:
    assert said(shell(b".x\r\n"), b"RETR 1") == b"+OK 4 octets\r\n..x\r\n.\r\n"


@pytest.mark.parametrize("before", range(16380, 16390))
def test_mail_content_cannot_end_the_reply_early(before: int) -> None:
    message = b"x" * (before - 2) + b"\r\n.\r\n+OK evil\r\n"
    wire = said(shell(message), b"RETR 1")
    assert wire.count(b"\r\n.\r\n") == 1
    assert wire.endswith(b"+OK evil\r\n.\r\n")


def test_octets_sent_are_octets_counted() -> None:
    fake = shell(ONE)
    status, _, wire = said(fake, b"RETR 1").partition(b"\r\n")
    assert status == b"+OK %d octets" % (len(wire) - len(b".\r\n"))
    assert said(fake, b"LIST 1") == b"+OK 1 %d\r\n" % len(ONE)


def test_top_keeps_the_last_line_of_a_message_that_lacks_a_line_end() -> None:
    assert b"last\r\n.\r\n" in said(shell(b"A: b\r\n\r\nlast"), b"TOP 1 99")


@pytest.mark.parametrize("header_octets", range(16380, 16388))
def test_top_finds_the_header_wherever_its_end_falls(header_octets: int) -> None:
    header = b"A: ".ljust(header_octets - 2, b"x") + b"\r\n"
    assert said(shell(header + b"\r\nbody\r\n"), b"TOP 1 0").endswith(b"x\r\n\r\n.\r\n")


def test_an_empty_message_is_a_message() -> None:
    assert said(shell(b""), b"LIST 1", b"RETR 1") == b"+OK 1 0\r\n+OK 0 octets\r\n.\r\n"


@pytest.mark.parametrize(
    "line", [b"DELE abc", b"RETR", b"LIST 1 2", b"USER", b"USER a b", b"\xff\xfe", b"AUTH", b"TOP"]
)
@pytest.mark.parametrize("login", [False, True])
def test_a_malformed_command_does_not_drop_the_connection(line: bytes, login: bool) -> None:
    fake = shell(ONE, login=login)
    assert said(fake, line).startswith((b"-ERR ", b"+OK mechanisms"))
    assert not fake.closed
    assert said(fake, b"CAPA").startswith(b"+OK")


def test_pipelined_commands_wait_for_a_slow_login() -> None:
    fake = shell(ONE, login=False, slow=True)
    assert said(fake, b"USER mrose", b"PASS secret", b"STAT", b"NOOP") == b"+OK send your password\r\n"
    fake.release()
    assert said(fake).split(b"\r\n") == [b"+OK maildrop has 1 messages (22 octets)", b"+OK 1 22", b"+OK done", b""]


def test_no_pipelined_command_goes_unanswered() -> None:
    fake = shell(ONE)
    fake.octets(b"STAT\r\nBOGUS\r\nNOOP\r\n")
    assert said(fake) == b"+OK 1 22\r\n-ERR unknown command\r\n+OK done\r\n"


def test_nobody_logs_in_again_inside_a_session() -> None:
    assert said(shell(ONE), b"USER mrose", b"PASS secret") == b"-ERR command not permitted now\r\n" * 2


def test_pipelining_is_announced_by_its_name() -> None:
    tags = said(shell(), b"CAPA").split(b"\r\n")
    assert b"PIPELINING" in tags
    assert b"RESP-CODES" in tags
    assert not {b"PIPELINE", b"CELERITY", b"AUSPEX", b"POTENCE"} & set(tags)


def test_quit_answers_only_when_the_deletions_are_done() -> None:
    fake = shell(ONE)
    fake.slow = True
    assert said(fake, b"DELE 1", b"QUIT") == b"+OK message 1 deleted\r\n"
    fake.release()
    assert said(fake) == b"+OK bye\r\n"


def test_quit_answers_when_the_deletions_fail() -> None:
    fake = shell(ONE)
    fake.accounts[b"mrose"].maildrop.disk_full = True
    assert said(fake, b"DELE 1", b"QUIT").endswith(b"-ERR [SYS/TEMP] some deleted messages not removed\r\n")
    assert fake.closed


def test_a_long_line_is_answered() -> None:
    fake = shell(ONE)
    fake.octets(b"x" * 20_000)
    fake.octets(b"x" * 20_000 + b"\r\nNOOP\r\n")
    assert said(fake) == b"-ERR command line too long\r\n+OK done\r\n"


@pytest.mark.parametrize("pieces", [[b"STLS\r\nUSER x\r\n"], [b"STLS\r\n", b"USER x\r\n"]])
def test_what_was_sent_in_the_clear_after_stls_is_not_taken_as_sent_under_tls(pieces: list[bytes]) -> None:
    fake = shell(login=False, slow=True)
    for piece in pieces:
        fake.octets(piece)
    fake.release()
    assert said(fake, b"PASS y") == b"+OK begin TLS\r\n-ERR USER first\r\n"


def test_capa_list_and_uidl_go_out_in_one_write_each() -> None:
    fake = shell(*[ONE] * 1000)
    said(fake, b"CAPA", b"LIST", b"UIDL")
    assert len(fake.writes) == 3


def test_texts_are_civil_and_name_no_exception() -> None:
    fake = shell(ONE)
    assert said(fake, b"RPOP x", b"BOGUS", b"RETR 9").count(b"unknown command") == 2
