"""Maildrops in processes that have become their users (``serving.maildrops`` has the promises).

For sites where every user has a uid of their own. What is said to such a process goes through its session
(``serving.mail_session``).
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from accounts.requests import Granted
from serving.channel import ChannelError, Frame
from serving.errors import BulkheadFullError
from serving.mail_dialogue import NUMBERS_MAX, pack_numbers, parse_listing
from serving.mail_session import MailSession
from serving.maildrops import MessageStream, OpenMaildrop
from serving.spawner_client import MailSocket, SpawnerClient
from spool.errors import MailboxBusyError, MailboxUnavailableError
from spool.names import UserName

KEEP_SECONDS: Final = 1.5  # longer than a listener waits between two attempts


class RemoteMaildropOpener:
    """Opens maildrops through the spawner.

    A ticket is good once, and a listener that waits for a busy maildrop tries again with the same one: so the session
    with the mail process is kept for a moment after a MailboxBusyError.

    Args:
        reactor: runs in this process.
        spawner: gives sockets to mail processes.
        operation_seconds: how long a mail process may take for one request.
        openings_per_user: how many of one user's maildrops may be on their way to being open. More are refused at once,
            so that a home that hangs costs no more than so many processes and waiting clients.
    """

    def __init__(
        self, reactor: Any, spawner: SpawnerClient, operation_seconds: float, *, openings_per_user: int
    ) -> None:
        self._reactor = reactor
        self._spawner = spawner
        self._operation_seconds = operation_seconds
        self._openings_per_user = openings_per_user
        self._openings: Counter[UserName] = Counter()
        self._kept: dict[bytes, MailSession] = {}
        self.hung = 0
        """How many mail processes did not answer in time since the start."""

    def open(self, granted: Granted, *, share: bool = False) -> Deferred[OpenMaildrop]:
        """``serving.maildrops.MaildropOpener.open``; fails with BulkheadFullError over ``openings_per_user``."""
        if self._openings[granted.user] >= self._openings_per_user:
            return fail(BulkheadFullError(f"{self._openings_per_user} openings of {granted.user} are out"))
        self._openings[granted.user] += 1
        return self._begin(granted, share).addBoth(self._returned, granted.user)

    def _returned(self, outcome: OpenMaildrop | Failure, user: UserName) -> OpenMaildrop | Failure:
        self._openings[user] -= 1
        if not self._openings[user]:
            del self._openings[user]
        return outcome

    def _begin(self, granted: Granted, share: bool) -> Deferred[OpenMaildrop]:
        if (kept := self._kept.pop(granted.ticket, None)) is not None and kept.open:
            return self._open(kept, granted.ticket, share)
        return self._spawner.open(granted.ticket).addCallback(
            lambda mail_socket: self._open(self._session(mail_socket), granted.ticket, share)
        )

    def _session(self, mail_socket: MailSocket) -> MailSession:
        return MailSession(self._reactor, mail_socket, self._operation_seconds, self._count_hung)

    def _open(self, session: MailSession, ticket: bytes, share: bool) -> Deferred[OpenMaildrop]:
        opened = session.ask(Frame({"do": "open", "share": share}))
        return opened.addCallback(partial(_maildrop, session)).addErrback(self._not_opened, session, ticket)

    def _not_opened(self, failure: Failure, session: MailSession, ticket: bytes) -> Failure:
        if isinstance(failure.value, MailboxBusyError):
            self._kept[ticket] = session
            self._reactor.callLater(KEEP_SECONDS, self._let_go, ticket, session)
        else:
            session.close()
        return failure

    def _let_go(self, ticket: bytes, session: MailSession) -> None:
        if self._kept.get(ticket) is session and not session.busy:
            del self._kept[ticket]
            session.close()

    def _count_hung(self) -> None:
        self.hung += 1


class RemoteMaildrop:
    """An open maildrop in a mail process."""

    def __init__(self, session: MailSession, answer: Frame) -> None:
        self._session = session
        self.wire_octets, self.unique_ids = parse_listing(answer.body)
        self.last_accessed = answer.number("last_accessed")
        self.read_only = answer.message.get("read_only") is True
        self._streams = itertools.count(1)

    def read_ahead(self, numbers: Sequence[int], octets_max: int) -> Deferred[Sequence[bytes]]:
        """``serving.maildrops.OpenMaildrop.read_ahead``."""
        request = Frame({"do": "read_ahead", "numbers": list(numbers[:NUMBERS_MAX]), "octets_max": octets_max})
        return self._session.ask(request).addCallback(_messages)

    def stream(self, number: int) -> MessageStream:
        """``serving.maildrops.OpenMaildrop.stream``."""
        return _RemoteStream(self._session, number, next(self._streams))

    def head(self, number: int, octets_max: int) -> Deferred[bytes]:
        """``serving.maildrops.OpenMaildrop.head``."""
        request = Frame({"do": "head", "number": number, "octets_max": octets_max})
        return self._session.ask(request).addCallback(lambda answer: answer.body)

    def commit(self, deleted: AbstractSet[int], retrieved: AbstractSet[int]) -> Deferred[None]:
        """``serving.maildrops.OpenMaildrop.commit``: holds when it fires. Timed out, it may still have happened."""
        return self._session.ask(pack_numbers(deleted, retrieved)).addCallback(lambda _: None)

    def close(self) -> Deferred[None]:
        """``serving.maildrops.OpenMaildrop.close``: after the operation that is out, if any."""
        if not self._session.open:
            return succeed(None)
        # Asked, so that it is known when another session may begin; closing the socket would do the rest.
        closed = self._session.when_free().addCallback(lambda _: self._session.ask(Frame({"do": "close"})))
        return closed.addBoth(self._end)

    def _end(self, _: object) -> None:
        self._session.close()


class _RemoteStream:
    """One long message. The mail process closes it when it is asked for anything else."""

    def __init__(self, session: MailSession, number: int, stream: int) -> None:
        self._session = session
        self._request = Frame({"do": "piece", "number": number, "stream": stream})
        self._ended = False

    def read(self) -> Deferred[bytes]:
        """``serving.maildrops.MessageStream.read``."""
        if self._ended:
            return succeed(b"")
        return self._session.ask(self._request).addCallback(self._take)

    def close(self) -> None:
        """``serving.maildrops.MessageStream.close``."""
        self._ended = True

    def _take(self, answer: Frame) -> bytes:
        self._ended = self._ended or not answer.body
        return answer.body


def _maildrop(session: MailSession, answer: Frame) -> OpenMaildrop:
    try:
        return RemoteMaildrop(session, answer)
    except ChannelError as error:
        raise MailboxUnavailableError("the mail process talks nonsense") from error


def _messages(answer: Frame) -> Sequence[bytes]:
    try:
        sizes = answer.numbers("sizes")
    except ChannelError as error:
        raise MailboxUnavailableError("the mail process talks nonsense") from error
    ends = tuple(itertools.accumulate(sizes))
    return [answer.body[end - size : end] for size, end in zip(sizes, ends, strict=True)]
