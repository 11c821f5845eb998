"""A shell around ``popd.pop3.session.Session`` that keeps everything in memory: accounts, messages, the connection.

It keeps the promises of ``popd.pop3.steps`` as the real shell does: lines wait while a request is out, input after STLS
is thrown away, a message goes out through ``MessageEncoder``, nothing changes in a maildrop before ``Commit``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from popd.pop3.headers import field_value
from popd.pop3.listings import Listings
from popd.pop3.sending import MessageEncoder, status_line
from popd.pop3.session import Session
from popd.pop3.steps import (
    ApopLogin,
    Close,
    Commit,
    ListHeaders,
    PasswordLogin,
    Refusal,
    ResponseCode,
    RpopLogin,
    SaslCancel,
    SaslResponse,
    SaslStart,
    Send,
    SendMessage,
    SessionPolicy,
    Snapshot,
    StartTls,
    Step,
    SubmitMessage,
)

WRONG = Refusal("authentication failed", ResponseCode.AUTH)
NOT_REMOVED = Refusal("some deleted messages not removed", ResponseCode.SYS_TEMP)


@dataclass
class MemoryMaildrop:
    """Messages in wire form and their unique-ids; ``broken`` ones cannot be read."""

    messages: list[bytes]
    unique_ids: list[str]
    last_accessed: int = 0
    locked: bool = False
    read_only: bool = False
    broken: AbstractSet[int] = frozenset()
    disk_full: bool = False

    def snapshot(self) -> Snapshot:
        listings = Listings([len(m) for m in self.messages], list(self.unique_ids))
        return Snapshot(listings, self.last_accessed, self.read_only)

    def commit(self, deleted: AbstractSet[int]) -> bool:
        if self.disk_full:
            return False
        kept = [n for n in range(1, len(self.messages) + 1) if n not in deleted]
        self.messages = [self.messages[n - 1] for n in kept]
        self.unique_ids = [self.unique_ids[n - 1] for n in kept]
        return True


@dataclass
class Account:
    """One user; ``rpop`` are the remote users that may come without a password."""

    maildrop: MemoryMaildrop
    password: bytes | None = None
    apop_secret: bytes | None = None
    rpop: AbstractSet[bytes] = frozenset()


@dataclass(frozen=True)
class ScriptedMechanism:
    """A SASL mechanism for one client: the responses it must give, and the challenge after each but the last."""

    name: str
    user: bytes
    responses: Sequence[bytes]
    challenges: Sequence[bytes]
    server_first: bool = False


@dataclass
class FakeShell:
    """Carries out one session.

    With ``slow`` a request stays out until ``release``; lines that arrive meanwhile wait, as on a real connection.
    """

    policy: SessionPolicy
    accounts: Mapping[bytes, Account]
    scripts: Sequence[ScriptedMechanism] = ()
    slow: bool = False
    sent: bytearray = field(default_factory=bytearray)
    writes: list[bytes] = field(default_factory=list)
    closed: bool = False
    committed: Commit | None = None
    submitted: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session = Session(self.policy)
        self._unread = bytearray()
        self._skipping = False
        self._held: Step | None = None
        self._user: Account | None = None
        self._script: tuple[ScriptedMechanism, int] | None = None
        self._carry_out(self.session.greet())

    # -- from the peer ------------------------------------------------------------------------------------------------

    def line(self, line: bytes) -> None:
        self.octets(line + b"\r\n")

    def octets(self, octets: bytes) -> None:
        """Take octets cut anywhere, and feed the lines that are complete and whose turn it is."""
        self._unread += octets
        while not self.closed and not self.session.waiting:
            end = self._unread.find(b"\r\n")
            length = len(self._unread) if end < 0 else end + 2
            if self._skipping or length > self.session.line_octets_max:
                self._skip(end)
            elif end >= 0:
                line = bytes(self._unread[:end])
                del self._unread[: end + 2]
                self._carry_out(self.session.receive(line))
            if end < 0:
                return

    def _skip(self, end: int) -> None:
        started = not self._skipping
        if end < 0:
            # The last octet is kept: it may be the CR of the line end.
            del self._unread[:-1]
            self._skipping = True
        else:
            del self._unread[: end + 2]
            self._skipping = False
        if started:
            self._carry_out(self.session.line_too_long())

    def fall_silent(self) -> None:
        self._carry_out(self.session.timed_out())

    # -- steps --------------------------------------------------------------------------------------------------------

    def release(self) -> None:
        """Let the request that was held end, and go on with the lines that wait."""
        held, self._held = self._held, None
        assert held is not None
        self._end(held)
        self.octets(b"")

    def _carry_out(self, steps: Sequence[Step]) -> None:
        for step in steps:
            assert not self.closed, "no step follows Close"
            match step:
                case Send(octets):
                    self._write(octets)
                case Close():
                    self.closed = True
                case SaslCancel():
                    assert self._script is not None
                    self._script = None
                case request:
                    assert step is steps[-1], "a request is the last step"
                    if self.slow:
                        self._held = request
                    else:
                        self._end(request)

    def _write(self, octets: bytes) -> None:
        self.writes.append(octets)
        self.sent += octets

    def _end(self, request: Step) -> None:
        session = self.session
        match request:
            case PasswordLogin(name, password):
                self._log_in(name, lambda account: account.password == password)
            case ApopLogin(name, digest, timestamp):
                self._log_in(name, lambda account: _apop_digest(account, timestamp) == digest)
            case RpopLogin(name, remote_user):
                self._log_in(name, lambda account: remote_user in account.rpop)
            case SaslStart(mechanism, initial):
                self._start_sasl(mechanism, initial)
            case SaslResponse(response):
                self._continue_sasl(response)
            case StartTls():
                self._unread.clear()
                self._carry_out(session.tls_started())
            case SendMessage(number, body_lines):
                self._send_message(number, body_lines)
            case ListHeaders(name, numbers):
                messages = self._maildrop.messages
                self._carry_out(session.headers_listed([(n, field_value(messages[n - 1], name)) for n in numbers]))
            case SubmitMessage(message):
                self.submitted.append(message)
                self._carry_out(session.submitted())
            case Commit(deleted):
                if self._maildrop.commit(deleted):
                    self.committed = request
                    self._carry_out(session.committed())
                else:
                    self._carry_out(session.refused(NOT_REMOVED))
            case _:
                raise AssertionError(request)

    @property
    def _maildrop(self) -> MemoryMaildrop:
        assert self._user is not None, "only a logged-in session asks for messages"
        return self._user.maildrop

    def _log_in(self, name: bytes, proves: Callable[[Account], bool]) -> None:
        account = self.accounts.get(name)
        if account is None or not proves(account):
            self._carry_out(self.session.refused(WRONG))
        elif account.maildrop.locked:
            self._carry_out(self.session.refused(Refusal("mailbox in use", ResponseCode.IN_USE)))
        else:
            self._user = account
            self._carry_out(self.session.logged_in(account.maildrop.snapshot()))

    def _start_sasl(self, mechanism: str, initial: bytes | None) -> None:
        script = next((s for s in self.scripts if s.name == mechanism), PLAIN)
        self._script = (script, 0)
        if script.server_first:
            if initial is None:
                self._script = (script, 1)
                self._carry_out(self.session.sasl_challenge(script.challenges[0]))
            else:
                self._refuse_sasl()
        elif initial is None:
            self._carry_out(self.session.sasl_challenge(b""))
        else:
            self._continue_sasl(initial)

    def _continue_sasl(self, response: bytes) -> None:
        assert self._script is not None
        script, turn = self._script
        if script is PLAIN:
            self._script = None
            _, name, password = (*response.split(b"\0"), b"", b"", b"")[:3]
            self._log_in(name, lambda account: account.password == password)
            return
        taken = turn - script.server_first
        if response != script.responses[taken]:
            self._refuse_sasl()
        elif taken + 1 == len(script.responses):
            self._script = None
            self._log_in(script.user, lambda _: True)
        else:
            self._script = (script, turn + 1)
            self._carry_out(self.session.sasl_challenge(script.challenges[turn]))

    def _refuse_sasl(self) -> None:
        self._script = None
        self._carry_out(self.session.refused(WRONG))

    def _send_message(self, number: int, body_lines: int | None) -> None:
        if number in self._maildrop.broken:
            self._carry_out(self.session.refused(Refusal("message not readable now", ResponseCode.SYS_TEMP)))
            return
        message = self._maildrop.messages[number - 1]
        encoder = MessageEncoder(body_lines)
        self._write(status_line(len(message), body_lines) + encoder.feed(message) + encoder.finish())
        self._carry_out(self.session.message_sent())


PLAIN = ScriptedMechanism("PLAIN", b"", (), ())


def _apop_digest(account: Account, timestamp: bytes) -> bytes | None:
    if account.apop_secret is None:
        return None
    return hashlib.md5(timestamp + account.apop_secret).hexdigest().encode("ascii")
