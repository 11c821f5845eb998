"""One LMTP session (RFC 2033): which states there are, and what moves between them.

A client says LHLO, then for each message MAIL, RCPT for each recipient, and DATA or BDATs. After the message there is
one reply for each recipient that was accepted, in their order; a reply goes out once its recipient and all before it
are decided. Then the next message may begin. RSET and STARTTLS forget a message that has begun.

Input is taken in any pieces (``receive``), and only as far as no request is out: pipelined commands wait. The caller
carries out steps in their order and reports on requests; a client that vanishes has been promised nothing.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, assert_never

from mta.smtp import replies
from mta.smtp.addresses import parse_path
from mta.smtp.commands import (
    COMMAND_OCTETS_MAX,
    Bdat,
    Command,
    Data,
    Lhlo,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    StartTls,
    Vrfy,
    parse_command,
)
from mta.smtp.content import ChunkDecoder, DataDecoder
from mta.smtp.errors import CommandError
from mta.smtp.replies import Reply
from mta.smtp.steps import (
    CheckRecipient,
    Close,
    Content,
    Deliver,
    Discard,
    Envelope,
    Refused,
    Request,
    Send,
    SessionPolicy,
    Step,
)
from mta.smtp.steps import StartTls as StartTlsStep

ERRORS_MAX: Final = 20
"""Commands that went wrong, after which the client is no client."""
TAKE_OCTETS: Final = 64 * 1024
"""So much of a message is taken in one step."""


class State(enum.Enum):
    """What has been said so far."""

    CONNECTED = enum.auto()
    READY = enum.auto()
    MAIL = enum.auto()
    RECIPIENTS = enum.auto()
    DATA = enum.auto()
    CHUNK = enum.auto()
    CHUNKS = enum.auto()
    REFUSED_CHUNK = enum.auto()
    DECIDING = enum.auto()
    CLOSED = enum.auto()


_ANYTIME: Final[frozenset[type[Command]]] = frozenset({Noop, Rset, Quit, Vrfy, Lhlo})
_MESSAGE: Final[frozenset[type[Command]]] = _ANYTIME | {Rcpt, Data, Bdat}
PERMITTED: Final[Mapping[State, frozenset[type[Command]]]] = {
    State.CONNECTED: _ANYTIME | {StartTls},
    State.READY: _ANYTIME | {StartTls, Mail},
    State.MAIL: _MESSAGE,
    State.RECIPIENTS: _MESSAGE,
    State.CHUNKS: _ANYTIME | {Bdat},
}


@dataclass(slots=True)
class _RefusedChunk:
    """A chunk that is thrown away before its BDAT is answered (RFC 3030 section 2).

    ``left`` is what is still to come of it, ``state`` the session's behind it.
    """

    left: int
    reply: Reply
    state: State


@dataclass(slots=True)
class _Transaction:
    """One message, from MAIL on.

    ``octets`` is how much of it has come, as stored; ``chunk_left`` what is still to come of the chunk of a BDAT;
    ``replies`` the replies that cannot be sent yet, and ``answered`` how many recipients have theirs.
    """

    sender: str | None = None
    utf8: bool = False
    recipients: list[str] = field(default_factory=list)
    checking: str = ""
    data: DataDecoder = field(default_factory=DataDecoder)
    chunks: ChunkDecoder = field(default_factory=ChunkDecoder)
    chunk_left: int = 0
    last_chunk: bool = False
    octets: int = 0
    replies: dict[int, Reply] = field(default_factory=dict)
    answered: int = 0


class Session:
    """The protocol's side of one connection."""

    def __init__(self, policy: SessionPolicy) -> None:
        self._policy = policy
        self._state = State.CONNECTED
        self._input = bytearray()
        self._waiting = False
        self._errors = 0
        self._transaction = _Transaction()
        self._refused_chunk = _RefusedChunk(0, replies.OUT_OF_ORDER, self._state)

    @property
    def state(self) -> State:
        """Where the session is."""
        return self._state

    @property
    def pending(self) -> int:
        """How many octets wait to be taken."""
        return len(self._input)

    def greet(self) -> Iterator[Step]:
        """Begin."""
        yield _sent(Reply(220, None, f"{self._policy.host_name} LMTP"))

    def receive(self, octets: bytes) -> Iterator[Step]:
        """Take input, and yield what follows from it as far as no request is out."""
        self._input += octets
        return self._go_on()

    def recipient_checked(self, refusal: Reply | None) -> Iterator[Step]:
        """Report on ``CheckRecipient``: the reply that refuses the recipient, None for a good one."""
        if refusal is None:
            self._transaction.recipients.append(self._transaction.checking)
            self._state = State.RECIPIENTS
        yield _sent(refusal or replies.RECIPIENT_OK)
        yield from self._resume()

    def decided(self, number: int, reply: Reply) -> Iterator[Step]:
        """Report on ``Deliver`` for one recipient, by its number from 0: the reply it gets."""
        message = self._transaction
        message.replies[number] = reply
        while (ready := message.replies.pop(message.answered, None)) is not None:
            message.answered += 1
            yield _sent(ready)
        if message.answered == len(message.recipients):
            self._begin_anew()
            yield from self._resume()

    def tls_started(self) -> None:
        """Report on ``StartTls``: nothing of what was said before holds (RFC 3207 section 4.2)."""
        self._policy = dataclasses.replace(self._policy, tls_active=True)
        self._input.clear()
        self._transaction = _Transaction()
        self._state = State.CONNECTED
        self._waiting = False

    def timed_out(self) -> Iterator[Step]:
        """End because the client is too slow."""
        return self._ended_by(replies.TOO_SLOW)

    def restarting(self) -> Iterator[Step]:
        """End because the service is."""
        return self._ended_by(replies.RESTARTING)

    # -- input --------------------------------------------------------------------------------------------------------

    def _resume(self) -> Iterator[Step]:
        self._waiting = False
        return self._go_on()

    def _go_on(self) -> Iterator[Step]:
        while not self._waiting and self._state is not State.CLOSED:
            match self._state:
                case State.DATA:
                    steps = self._take_data()
                case State.CHUNK:
                    steps = self._take_chunk()
                case State.REFUSED_CHUNK:
                    steps = self._take_refused_chunk()
                case _:
                    steps = self._take_line()
            if steps is None:
                return
            for step in steps:
                self._waiting = self._waiting or isinstance(step, Request)
                yield step

    def _take_line(self) -> Iterator[Step] | None:
        end = self._input.find(b"\r\n", 0, COMMAND_OCTETS_MAX)
        if end < 0:
            if len(self._input) < COMMAND_OCTETS_MAX:
                return None
            # Where the next command would begin nobody can tell any more.
            return self._ended_by(replies.LINE_TOO_LONG)
        line = bytes(self._input[:end])
        del self._input[: end + 2]
        return self._command(line)

    def _command(self, line: bytes) -> Iterator[Step]:
        try:
            command = parse_command(line)
        except CommandError as error:
            if line[:4].upper() == b"BDAT":
                # The client sends a chunk behind it, whatever we say, and where that ends nobody can tell.
                yield from self._ended_by(error.reply)
            else:
                yield from self._wrong(error.reply)
            return
        try:
            yield from self._carried_out(command)
        except CommandError as error:
            if isinstance(command, Bdat):
                self._refused_chunk = _RefusedChunk(command.octets, error.reply, self._state)
                self._state = State.REFUSED_CHUNK
            else:
                yield from self._wrong(error.reply)

    def _wrong(self, reply: Reply) -> Iterator[Step]:
        self._errors += 1
        if self._errors > ERRORS_MAX:
            yield from self._ended_by(replies.TOO_MANY_ERRORS)
        else:
            yield _sent(reply)

    def _ended_by(self, reply: Reply) -> Iterator[Step]:
        self._state = State.CLOSED
        self._input.clear()
        yield Discard()
        yield _sent(reply)
        yield Close()

    # -- commands -----------------------------------------------------------------------------------------------------

    def _carried_out(self, command: Command) -> Iterator[Step]:
        if type(command) not in PERMITTED[self._state]:
            raise CommandError(replies.OUT_OF_ORDER)
        match command:
            case Mail() | Rcpt() | Data() | Bdat():
                yield from self._message_command(command)
            case Lhlo():
                yield from self._forget_message()
                self._state = State.READY
                yield _sent(self._capabilities())
            case Rset():
                yield from self._forget_message()
                yield _sent(replies.OK)
            case Noop():
                yield _sent(replies.OK)
            case Vrfy():
                yield _sent(replies.CANNOT_VERIFY)
            case StartTls():
                if not self._policy.tls_available or self._policy.tls_active:
                    raise CommandError(replies.OUT_OF_ORDER)
                yield _sent(replies.READY_FOR_TLS)
                yield StartTlsStep()
            case Quit():
                yield from self._ended_by(replies.BYE)
            case _:
                assert_never(command)

    def _message_command(self, command: Mail | Rcpt | Data | Bdat) -> Iterator[Step]:
        message = self._transaction
        if isinstance(command, Data | Bdat) and not message.recipients:
            raise CommandError(replies.NO_RECIPIENTS)
        match command:
            case Mail(sender, octets, utf8):
                if octets is not None and octets > self._policy.message_octets_max:
                    raise CommandError(replies.TOO_LARGE)  # RFC 1870 section 6.1
                self._transaction = _Transaction(sender, utf8)
                self._state = State.MAIL
                yield _sent(replies.SENDER_OK)
            case Rcpt(path):
                yield self._recipient(path)
            case Data():
                self._state = State.DATA
                yield _sent(replies.SEND_MESSAGE)
            case Bdat(octets, last):
                message.chunk_left, message.last_chunk = octets, last
                self._state = State.CHUNK
            case _:
                assert_never(command)

    def _recipient(self, path: str) -> Step:
        message = self._transaction
        address = parse_path(path, utf8=message.utf8)
        if address is None:
            raise CommandError(replies.BAD_ADDRESS)
        if len(message.recipients) >= self._policy.recipients_max:
            raise CommandError(replies.TOO_MANY_RECIPIENTS)
        message.checking = address
        return CheckRecipient(address, message.sender)

    def _capabilities(self) -> Reply:
        tls = ("STARTTLS",) if self._policy.tls_available and not self._policy.tls_active else ()
        size = f"SIZE {self._policy.message_octets_max}"
        more = (self._policy.host_name, "PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING", size, *tls)
        return Reply(250, None, "ENHANCEDSTATUSCODES", more)

    def _forget_message(self) -> Iterator[Step]:
        if self._transaction.octets:
            yield Discard()
        if self._state is not State.CONNECTED:
            self._begin_anew()

    def _begin_anew(self) -> None:
        self._transaction = _Transaction()
        self._state = State.READY

    # -- content ------------------------------------------------------------------------------------------------------

    def _take_data(self) -> Iterator[Step] | None:
        if not self._input:
            return None
        message = self._transaction
        stored, rest = message.data.feed(self._taken(len(self._input)))
        if not message.data.ended:
            return self._content(stored)
        self._input[:0] = rest
        return self._whole(stored, bare=message.data.bare)

    def _take_chunk(self) -> Iterator[Step] | None:
        message = self._transaction
        if not self._input and message.chunk_left:
            return None
        taken = self._taken(message.chunk_left)
        message.chunk_left -= len(taken)
        ended = message.last_chunk and not message.chunk_left
        stored = message.chunks.feed(taken, last=ended)
        if ended:
            return self._whole(stored, bare=message.chunks.bare)
        return self._content(stored)

    def _take_refused_chunk(self) -> Iterator[Step] | None:
        """Throw a chunk away, and only then say why: it must not be taken for commands."""
        chunk = self._refused_chunk
        thrown_away = min(chunk.left, len(self._input))
        del self._input[:thrown_away]
        chunk.left -= thrown_away
        if chunk.left:
            return None
        self._state = chunk.state
        return self._wrong(chunk.reply)

    def _taken(self, most: int) -> bytes:
        octets = bytes(self._input[: min(most, TAKE_OCTETS)])
        del self._input[: len(octets)]
        return octets

    def _content(self, stored: bytes) -> Iterator[Step]:
        message = self._transaction
        message.octets += len(stored)
        if stored and message.octets <= self._policy.message_octets_max:
            yield Content(stored)
        if self._state is State.CHUNK and not message.chunk_left:
            self._state = State.CHUNKS
            yield _sent(replies.CHUNK_OK)

    def _whole(self, stored: bytes, *, bare: bool) -> Iterator[Step]:
        message = self._transaction
        message.octets += len(stored)
        self._state = State.DECIDING
        if message.octets > self._policy.message_octets_max:
            return self._refused(replies.TOO_LARGE)
        if bare and self._policy.refuse_bare_line_ends:
            return self._refused(replies.BARE_LINE_END)
        return iter((Content(stored), Deliver(Envelope(message.sender, tuple(message.recipients)))))

    def _refused(self, refusal: Reply) -> Iterator[Step]:
        yield Discard()
        for address in self._transaction.recipients:
            yield Refused(address, refusal)
            yield _sent(refusal)
        self._begin_anew()


def _sent(reply: Reply) -> Send:
    return Send(reply.octets)
