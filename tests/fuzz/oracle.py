"""What must hold for any octets a client sends: one case is played many ways, and its replies are checked."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from popd.pop3.states import Expecting, State
from popd.pop3.steps import SessionPolicy
from tests.dialogues.fake_shell import Account, FakeShell, MemoryMaildrop

MESSAGES: Final = (
    b"",
    b"\r\n",
    b".\r\n",
    b"Subject: a\r\n\r\n.\r\n..\r\n+OK evil\r\n.\r\n",
    b"Subject: %s%n{0}\r\n folded\r\n\r\nnul\0 8-bit \xe9, bare\rCR\r\n",
    b"no header at all " + b"x" * 20_000 + b"\r\n",
    b"A: b\r\n" * 2_700 + b"\r\n" + b".\r\n" * 100,
)

BROKEN: Final = 1

POLICIES: Final = (
    SessionPolicy(tls_available=True),
    SessionPolicy(tls_active=True, mechanisms_tls=("PLAIN", "LOGIN"), login_delay_seconds=9, expire_days=-1),
    SessionPolicy(
        timestamp=b"<1896.697170952@dbc.mtview.ca.us>",
        tls_available=True,
        user_cleartext=True,
        mechanisms_cleartext=("PLAIN",),
        last=True,
        rpop=True,
        xmit=True,
        submission_octets_max=2_000,
    ),
)


class BrokenPromiseError(AssertionError):
    """A reply, or the end of a session, is not as it must be."""


def check(case: bytes) -> None:
    """Play the client's octets under each policy: line by line, and cut and delayed in other ways.

    Raises:
        BrokenPromiseError: something was not as it must be; any other exception is a defect as well.
    """
    for policy in POLICIES:
        by_line = _play_by_line(policy, case)
        shuffled = random.Random(len(case))
        for slow in (False, True):
            cut = _play_cut(policy, case, shuffled, slow=slow)
            # How much of the clear text after STLS is thrown away depends on what has arrived by then.
            if not by_line.session.policy.tls_active or policy.tls_active:
                _demand(cut == bytes(by_line.sent), "replies depend on how the input is cut or on how long work takes")


def shell(policy: SessionPolicy, *, slow: bool = False) -> FakeShell:
    """A fresh shell with one user, ``mrose``, who has ``MESSAGES``, all readable but ``BROKEN``."""
    maildrop = MemoryMaildrop(list(MESSAGES), [f"%s{{{n}}}" for n in range(len(MESSAGES))], broken={BROKEN})
    account = Account(maildrop, password=b"secret", apop_secret=b"tanstaaf", rpop={b"marshall"})
    return FakeShell(policy, {b"mrose": account}, slow=slow)


def _play_by_line(policy: SessionPolicy, case: bytes) -> FakeShell:
    fake = shell(policy)
    deleted: set[int] = set()
    replies = len(fake.sent)
    *lines, rest = case.split(b"\r\n")
    for line in lines:
        if fake.closed:
            break
        expecting = fake.session.expecting
        fake.line(line)
        reply = bytes(fake.sent[replies:])
        replies = len(fake.sent)
        if expecting is Expecting.MESSAGE_LINE and fake.session.expecting is Expecting.MESSAGE_LINE:
            _demand(not reply, "a message line was answered")
            continue
        _check_reply(reply)
        if expecting is Expecting.COMMAND and reply.startswith(b"+OK"):
            _note_deletions(line, deleted)
            _check_content(line, reply, deleted)
    fake.octets(rest)
    _check_end(fake, deleted)
    return fake


def _play_cut(policy: SessionPolicy, case: bytes, shuffled: random.Random, *, slow: bool) -> bytes:
    fake = shell(policy, slow=slow)
    for piece in _pieces(case, shuffled):
        fake.octets(piece)
        while fake.session.waiting and shuffled.random() < 0.5:
            fake.release()
    while fake.session.waiting:
        fake.release()
    return bytes(fake.sent)


def _pieces(case: bytes, shuffled: random.Random) -> Iterator[bytes]:
    start = 0
    while start < len(case):
        end = start + shuffled.choice((1, 2, 3, 7, 80, 5_000))
        yield case[start:end]
        start = end


def _check_reply(reply: bytes) -> None:
    status, line_end, rest = reply.partition(b"\r\n")
    _demand(line_end == b"\r\n", "no reply, or no whole line")
    if status.startswith(b"+ "):
        _demand(not rest, "a challenge is one line")
        return
    _demand(len(reply) - len(rest) <= 512, "status line over 512 octets")
    _demand(status.startswith((b"+OK ", b"-ERR ")), "neither +OK nor -ERR")
    _demand(all(32 <= octet < 127 for octet in status), "status line not printable ASCII")
    if rest:
        _demand(status.startswith(b"+OK "), "a multi-line -ERR")
        # A client stops at the first lone dot, and everything must have been said by then.
        _demand((b"\r\n" + rest).find(b"\r\n.\r\n") + 3 == len(rest), "the terminator is not at the end")


def _note_deletions(line: bytes, deleted: set[int]) -> None:
    match line.upper().split():
        case [b"DELE", number]:
            _demand(int(number) not in deleted, "deleted twice")
            deleted.add(int(number))
        case [b"RSET"]:
            deleted.clear()
        case _:
            pass


def _check_content(line: bytes, reply: bytes, deleted: set[int]) -> None:
    kept = {number: message for number, message in enumerate(MESSAGES, 1) if number not in deleted}
    match line.upper().split():
        case [b"STAT"]:
            _demand(reply == b"+OK %d %d\r\n" % (len(kept), sum(map(len, kept.values()))), "STAT counts wrongly")
        case [b"LIST"]:
            listed = [tuple(map(int, entry.split())) for entry in _unstuffed(reply).splitlines()]
            _demand(listed == [(number, len(message)) for number, message in kept.items()], "LIST is wrong")
        case [b"UIDL"]:
            listed_ids = [entry.partition(b" ")[0] for entry in _unstuffed(reply).splitlines()]
            _demand(listed_ids == [b"%d" % number for number in kept], "UIDL is wrong")
        case [b"RETR", number]:
            _demand(_unstuffed(reply) == kept[int(number)], "RETR sent something else")
        case [b"TOP", number, count]:
            header, blank, body = kept[int(number)].partition(b"\r\n\r\n")
            if kept[int(number)].startswith(b"\r\n"):
                header, blank, body = b"", b"\r\n", kept[int(number)][2:]
            top = header + blank + b"".join(line + b"\r\n" for line in body.split(b"\r\n")[:-1][: int(count)])
            _demand(_unstuffed(reply) == top, "TOP sent something else")
        case _:
            pass


def _unstuffed(reply: bytes) -> bytes:
    _, *lines, dot, nothing = reply.split(b"\r\n")
    _demand((dot, nothing) == (b".", b""), "a multi-line reply without its terminator")
    return b"".join(line.removeprefix(b".") + b"\r\n" for line in lines)


def _check_end(fake: FakeShell, deleted: set[int]) -> None:
    kept = fake.accounts[b"mrose"].maildrop.messages
    if fake.committed is None:
        _demand(kept == list(MESSAGES), "something was removed without UPDATE")
    else:
        _demand(fake.session.state is State.CLOSED, "open after UPDATE")
        expected = [message for number, message in enumerate(MESSAGES, 1) if number not in deleted]
        _demand(kept == expected, "UPDATE removed something else")


def _demand(holds: bool, text: str) -> None:
    if not holds:
        raise BrokenPromiseError(text)
