from __future__ import annotations

import pytest

from popd.pop3.commands import Capa, Dele, Lang, Last, List, Noop, Quit, Retr, Rset, Stat, Top, Uidl, XtndXlst, XtndXmit
from popd.pop3.listings import Listings
from popd.pop3.states import Expecting, TransactionCommand
from popd.pop3.steps import (
    Close,
    Commit,
    ListHeaders,
    Refusal,
    ResponseCode,
    Send,
    SendMessage,
    SessionPolicy,
    Snapshot,
    Step,
    SubmitMessage,
)
from popd.pop3.transaction import Transaction

NO_SUCH_MESSAGE = (Send(b"-ERR no such message\r\n"),)


def transaction(*, read_only: bool = False, submission_octets_max: int = 100) -> Transaction:
    policy = SessionPolicy(xmit=True, last=True, submission_octets_max=submission_octets_max)
    listings = Listings([120, 200, 50], ["a", "b", "c"])
    return Transaction(policy, Snapshot(listings, last_accessed=1, read_only=read_only))


def replies(phase: Transaction, *commands: TransactionCommand) -> list[bytes]:
    return [step.octets for command in commands for step in phase.take(command) if isinstance(step, Send)]


def test_the_login_is_answered_with_count_and_size() -> None:
    assert transaction().greet() == (Send(b"+OK maildrop has 3 messages (370 octets)\r\n"),)


@pytest.mark.parametrize(
    ("command", "octets"),
    [
        (Stat(), b"+OK 3 370\r\n"),
        (List(), b"+OK 3 messages (370 octets)\r\n1 120\r\n2 200\r\n3 50\r\n.\r\n"),
        (List(2), b"+OK 2 200\r\n"),
        (Uidl(), b"+OK unique-ids follow\r\n1 a\r\n2 b\r\n3 c\r\n.\r\n"),
        (Uidl(2), b"+OK 2 b\r\n"),
        (Last(), b"+OK 1\r\n"),
        (Noop(), b"+OK done\r\n"),
        (Rset(), b"+OK maildrop has 3 messages (370 octets)\r\n"),
        (Dele(3), b"+OK message 3 deleted\r\n"),
        (Lang("en"), b"+OK en texts are in English\r\n"),
    ],
)
def test_questions_are_answered(command: TransactionCommand, octets: bytes) -> None:
    assert replies(transaction(), command) == [octets]


def test_capa_and_lang_answer_with_lists() -> None:
    for octets in replies(transaction(), Capa(), Lang()):
        assert octets.startswith(b"+OK ")
        assert octets.endswith(b"\r\n.\r\n")


@pytest.mark.parametrize("number", [2, 4, 9999999999])
@pytest.mark.parametrize("command", [List, Uidl, Retr, Dele, lambda n: Top(n, 0), lambda n: XtndXlst(b"Subject", n)])
def test_deleted_and_unknown_messages_are_refused(command: type[Retr], number: int) -> None:
    phase = transaction()
    phase.take(Dele(2))
    assert phase.take(command(number)) == NO_SUCH_MESSAGE


def test_after_a_deletion_numbers_stay_and_sums_shrink() -> None:
    assert replies(transaction(), Dele(2), Stat(), List(), Uidl()) == [
        b"+OK message 2 deleted\r\n",
        b"+OK 2 170\r\n",
        b"+OK 2 messages (170 octets)\r\n1 120\r\n3 50\r\n.\r\n",
        b"+OK unique-ids follow\r\n1 a\r\n3 c\r\n.\r\n",
    ]


def test_reset_brings_deleted_messages_back() -> None:
    phase = transaction()
    assert replies(phase, Dele(1), Rset(), Stat())[-1] == b"+OK 3 370\r\n"
    assert phase.take(Quit()) == (Commit(frozenset(), frozenset()),)


def test_retr_and_top_ask_for_the_message() -> None:
    assert transaction().take(Retr(2)) == (SendMessage(2, None),)
    assert transaction().take(Top(2, 5)) == (SendMessage(2, 5),)


def test_quit_commits_what_was_deleted_and_what_retr_sent() -> None:
    phase = transaction()
    phase.take(Dele(1))
    phase.message_sent(SendMessage(2, None))
    phase.message_sent(SendMessage(3, 0))
    assert phase.take(Quit()) == (Commit(frozenset({1}), frozenset({2})),)


def test_last_counts_retr_and_dele_but_not_top() -> None:
    phase = transaction()
    phase.message_sent(SendMessage(3, 0))
    assert replies(phase, Last()) == [b"+OK 1\r\n"]
    phase.message_sent(SendMessage(2, None))
    assert replies(phase, Last(), Dele(3), Last(), Rset(), Last())[::2] == [b"+OK 2\r\n", b"+OK 3\r\n", b"+OK 1\r\n"]


def test_a_shared_snapshot_takes_no_deletions_and_no_commit() -> None:
    phase = transaction(read_only=True)
    (reply,) = replies(phase, Dele(1))
    assert reply.startswith(b"-ERR ")
    assert phase.take(Quit()) == (Send(b"+OK bye\r\n"), Close())


def test_xlst_asks_for_the_field_of_messages_in_view() -> None:
    phase = transaction()
    phase.take(Dele(2))
    assert phase.take(XtndXlst(b"Subject")) == (ListHeaders(b"Subject", (1, 3)),)
    assert phase.take(XtndXlst(b"Subject", 3)) == (ListHeaders(b"Subject", (3,)),)


def test_xlst_is_answered_in_lines_of_number_name_and_value() -> None:
    steps = transaction().headers_listed(ListHeaders(b"Subject", (1, 3)), [(1, b"%s{0}"), (3, b"")])
    assert steps == (Send(b"+OK headers follow\r\n1 Subject: %s{0}\r\n3 Subject: \r\n.\r\n"),)


def test_xlst_cuts_endless_values() -> None:
    (reply,) = transaction().headers_listed(ListHeaders(b"Subject", (1,)), [(1, b"x" * 100_000)])
    assert isinstance(reply, Send)
    assert max(map(len, reply.octets.split(b"\r\n"))) == 998


def collecting(*, octets_max: int = 100) -> Transaction:
    phase = transaction(submission_octets_max=octets_max)
    (reply,) = phase.take(XtndXmit())
    assert isinstance(reply, Send)
    assert phase.expecting is Expecting.MESSAGE_LINE
    return phase


def fed(phase: Transaction, *lines: bytes) -> tuple[Step, ...]:
    *before, steps = [phase.take_line(line) for line in lines]
    assert not any(before)
    return steps


def test_xmit_takes_lines_until_the_dot() -> None:
    phase = collecting()
    assert fed(phase, b"To: you", b"", b"QUIT", b"..", b".") == (SubmitMessage(b"To: you\n\nQUIT\n.\n"),)
    assert phase.expecting is Expecting.COMMAND


def test_xmit_reads_a_message_over_the_limit_to_its_end() -> None:
    phase = collecting(octets_max=10)
    assert fed(phase, b"12345", b"67890", b"QUIT", b".") == (Send(b"-ERR message too long\r\n"),)
    assert phase.expecting is Expecting.COMMAND


def test_xmit_reads_a_message_with_an_endless_line_to_its_end() -> None:
    phase = collecting()
    assert fed(phase, b"12345") == ()
    assert phase.line_too_long() == ()
    assert fed(phase, b"67890", b".") == (Send(b"-ERR message too long\r\n"),)


def test_a_failed_request_is_answered_and_silence_says_nothing() -> None:
    refusal = Refusal("not readable", ResponseCode.SYS_TEMP)
    assert transaction().refuse(refusal) == (Send(b"-ERR [SYS/TEMP] not readable\r\n"),)
    assert collecting().timed_out() == ()
