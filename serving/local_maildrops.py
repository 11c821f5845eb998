"""Maildrops opened in this process: the blocking code of the spool, in bulkheads.

Keeps the promises of ``serving.maildrops`` on sites where every mailbox belongs to the one uid that the worker runs as.
Nothing here touches the disk in the reactor's thread: even a maildrop's properties are read in the hop that opens it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from accounts.requests import Granted
from serving.blocking import Bulkheads
from serving.errors import BulkheadFullError
from serving.maildrops import MessageStream, OpenMaildrop
from serving.reading import read_head, read_messages
from spool.errors import HomeUnavailableError
from spool.mailbox import Maildrop, MessageReader
from spool.names import UserName

STREAM_OCTETS: Final = 128 * 1024  # one hop of a long message reads at least so many; see serving.blocking for why

OpenBlocking: TypeAlias = Callable[[Granted, bool], Maildrop]
"""Opens the maildrop of a granted login, shared or not; blocks; raises a SpoolError."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """A maildrop with its properties, all read in the thread that opened it."""

    maildrop: Maildrop
    wire_octets: Sequence[int]
    unique_ids: Sequence[str]
    last_accessed: int
    read_only: bool

    def close(self) -> None:
        self.maildrop.close()


class LocalMaildropOpener:
    """Opens maildrops in the bulkheads.

    Args:
        bulkheads: where the blocking code runs.
        open_blocking: finds and opens a user's maildrop.
        file_system_of: the mount point a path lies under, found without touching the path; may raise an OSError.
    """

    def __init__(
        self, bulkheads: Bulkheads, open_blocking: OpenBlocking, file_system_of: Callable[[Path], str]
    ) -> None:
        self._bulkheads = bulkheads
        self._open_blocking = open_blocking
        self._file_system_of = file_system_of

    def open(self, granted: Granted, *, share: bool = False) -> Deferred[OpenMaildrop]:
        """``serving.maildrops.MaildropOpener.open``."""
        try:
            file_system = self._file_system_of(granted.home)
        except OSError as error:
            return fail(HomeUnavailableError(f"{granted.home}: no telling its file system: {error.strerror}"))
        opening = self._bulkheads.run(
            granted.user, file_system, partial(self._take_snapshot, granted, share), discard=_Snapshot.close
        )
        return opening.addCallback(partial(LocalMaildrop, self._bulkheads, granted.user, file_system))

    def _take_snapshot(self, granted: Granted, share: bool) -> _Snapshot:
        maildrop = self._open_blocking(granted, share)
        try:
            return _Snapshot(
                maildrop, maildrop.wire_octets, maildrop.unique_ids, maildrop.last_accessed, maildrop.read_only
            )
        except BaseException:
            maildrop.close()
            raise


class LocalMaildrop:
    """An open maildrop. One operation is out at a time; what comes while one is out, stuck perhaps, is refused."""

    _log = Logger()

    def __init__(self, bulkheads: Bulkheads, user: UserName, file_system: str, snapshot: _Snapshot) -> None:
        self.wire_octets = snapshot.wire_octets
        self.unique_ids = snapshot.unique_ids
        self.last_accessed = snapshot.last_accessed
        self.read_only = snapshot.read_only
        self._maildrop = snapshot.maildrop
        self._bulkheads = bulkheads
        self._user = user
        self._file_system = file_system
        self._operation_out = False
        self._left_open: list[Callable[[], None]] = []  # filled here, emptied by the operation whose turn it is
        self._close_asked = False
        self._close_answers: list[Deferred[None]] = []
        self._closed = False

    def read_ahead(self, numbers: Sequence[int], octets_max: int) -> Deferred[Sequence[bytes]]:
        """``serving.maildrops.OpenMaildrop.read_ahead``.

        Fails with LongerThanListedError if the first message turns out not to fit; ``stream`` can read it then.
        """
        return self._run(partial(read_messages, self._maildrop, self.wire_octets, numbers, octets_max))

    def stream(self, number: int) -> MessageStream:
        """``serving.maildrops.OpenMaildrop.stream``."""
        return _LocalStream(self._run, self._left_open.append, partial(self._maildrop.open_message, number))

    def head(self, number: int, octets_max: int) -> Deferred[bytes]:
        """``serving.maildrops.OpenMaildrop.head``."""
        return self._run(partial(read_head, self._maildrop, number, octets_max))

    def commit(self, deleted: AbstractSet[int], retrieved: AbstractSet[int]) -> Deferred[None]:
        """``spool.mailbox.Maildrop.commit``: holds when it fires. Cancelled or timed out, it may still happen."""
        return self._run(partial(self._maildrop.commit, deleted=deleted, retrieved=retrieved))

    def close(self) -> Deferred[None]:
        """``serving.maildrops.OpenMaildrop.close``: at once, or when the operation that is out has returned."""
        if self._closed:
            return succeed(None)
        answer: Deferred[None] = Deferred()
        self._close_answers.append(answer)
        if not self._close_asked:
            self._close_asked = True
            if not self._operation_out:
                self._begin_close()
        return answer

    def _run(self, function: Callable[[], T]) -> Deferred[T]:
        if self._close_asked or self._operation_out:
            return fail(BulkheadFullError(f"{self._user}: the maildrop is being closed, or an operation is out"))
        self._operation_out = True
        return self._bulkheads.run(
            self._user,
            self._file_system,
            partial(_after_closing, self._left_open, function),
            returned=self._operation_returned,
        )

    def _operation_returned(self) -> None:
        self._operation_out = False
        if self._close_asked:
            self._begin_close()

    def _begin_close(self) -> None:
        close = partial(_close_all, self._maildrop, self._left_open)
        self._bulkheads.release(self._user, self._file_system, close).addBoth(self._close_ended)

    def _close_ended(self, outcome: Failure | None) -> None:
        # The files are gone either way (close(2) is never to be repeated on Linux), so another session may begin.
        if isinstance(outcome, Failure):
            self._log.failure("closing a maildrop failed", failure=outcome, user=str(self._user))
        self._closed = True
        for answer in self._close_answers:
            answer.callback(None)


class _LocalStream:
    """One long message. Its file is opened by the first read, and closed by the last or in the session's next hop."""

    def __init__(
        self,
        run: Callable[[Callable[[], bytes]], Deferred[bytes]],
        leave_open: Callable[[Callable[[], None]], None],
        open_reader: Callable[[], MessageReader],
    ) -> None:
        self._run = run
        self._leave_open = leave_open
        self._open_reader = open_reader
        self._reader: MessageReader | None = None  # belongs to the thread whose turn it is
        self._ended = False

    def read(self) -> Deferred[bytes]:
        """``serving.maildrops.MessageStream.read``; the piece has 128 KiB, or up to as much more as a reader gives."""
        if self._ended:
            return succeed(b"")
        return self._run(self._read_blocking)

    def close(self) -> None:
        """``serving.maildrops.MessageStream.close``."""
        if not self._ended:
            self._ended = True
            self._leave_open(self._close_blocking)

    def _read_blocking(self) -> bytes:
        if self._ended:  # given up before this read's turn came: its closing may have been done already
            return b""
        if self._reader is None:
            self._reader = self._open_reader()
        pieces: list[bytes] = []
        octets = 0
        while octets < STREAM_OCTETS:
            piece = self._reader.read()
            if not piece:
                self._ended = True
                self._reader.close()
                break
            pieces.append(piece)
            octets += len(piece)
        return b"".join(pieces)

    def _close_blocking(self) -> None:
        if self._reader is not None:
            self._reader.close()


def _after_closing(left_open: list[Callable[[], None]], function: Callable[[], T]) -> T:
    while left_open:
        left_open.pop()()
    return function()


def _close_all(maildrop: Maildrop, left_open: list[Callable[[], None]]) -> None:
    # The maildrop first: whatever happens with a reader, the session lock must go.
    maildrop.close()
    for close in left_open:
        close()
