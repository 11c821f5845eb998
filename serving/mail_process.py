"""A mail process: has become one user and serves that user's maildrop over a socket, one session after another.

It blocks, and nobody minds: it is alone. Sessions come from the spawner over the control channel; a session's socket
leads to a worker (``serving.mail_dialogue`` has what they say). When that closes, the maildrop is closed without
committing, and the process is idle; when the control channel closes, it ends.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from accounts.requests import Granted
from accounts.rhosts import read_rhosts
from serving.channel import Channel, ChannelError, Frame
from serving.error_frames import error_frame
from serving.errors import BulkheadFullError
from serving.mail_dialogue import answer_frames, listing, unpack_numbers
from serving.orders import Order, serve_orders
from serving.reading import read_head, read_messages
from spool.errors import MailboxUnavailableError, SpoolError
from spool.mailbox import Maildrop, MessageReader
from spool.names import UserName

PIECE_OCTETS: Final = 128 * 1024

OpenBlocking: TypeAlias = Callable[[Granted, bool], Maildrop]
"""Opens the maildrop of a granted login, shared or not; blocks; raises a SpoolError."""


def session_order(user: UserName, uid: int, gid: int, home: Path) -> Order:
    """The spawner's order to serve a session for a user; the process will have become that user."""
    return Order(user, uid, gid, {"user": user.text, "uid": uid, "gid": gid, "home": str(home)})


def run_mail_process(open_blocking: OpenBlocking, spool_root: Path, control: Channel) -> int:
    """Serve sessions until the control channel closes."""
    return serve_orders(control, partial(_serve_session, open_blocking, spool_root))


def _serve_session(open_blocking: OpenBlocking, spool_root: Path, order: Frame, end: socket.socket) -> None:
    granted = Granted(UserName(order.text("user")), order.number("uid"), order.number("gid"), Path(order.text("home")))
    with Channel(end) as worker:
        _Session(granted, open_blocking, spool_root, worker).run()


class _Session:
    """One worker's session with the user's maildrop."""

    def __init__(self, granted: Granted, open_blocking: OpenBlocking, spool_root: Path, worker: Channel) -> None:
        self._granted = granted
        self._spool_root = spool_root
        self._open_blocking = open_blocking
        self._worker = worker
        self._maildrop: Maildrop | None = None
        self._reader: MessageReader | None = None
        self._stream = 0
        self._handlers: dict[str, Callable[[Frame], None]] = {
            "open": self._open,
            "read_ahead": self._read_ahead,
            "piece": self._piece,
            "head": self._head,
            "commit": self._commit,
            "close": self._close_request,
            "rhosts": self._rhosts,
        }

    def run(self) -> None:
        """Answer requests until the worker closes or talks nonsense."""
        try:
            with suppress(ChannelError):
                while (request := self._worker.receive()) is not None:
                    self._serve(request)
        finally:
            self._close()

    def _serve(self, request: Frame) -> None:
        request.discard()
        handler = self._handlers.get(request.text("do"))
        if handler is None:
            raise ChannelError("unknown request")
        if handler != self._piece:
            self._close_reader()
        try:
            handler(request)
        except SpoolError as error:
            self._worker.send(error_frame(error))

    def _answer(self, body: bytes = b"", **fields: object) -> None:
        for frame in answer_frames(fields, body):
            self._worker.send(frame)

    @property
    def _opened(self) -> Maildrop:
        if self._maildrop is None:
            raise MailboxUnavailableError(f"{self._granted.user}: no maildrop is open")
        return self._maildrop

    def _open(self, request: Frame) -> None:
        if self._maildrop is not None:
            raise BulkheadFullError(f"{self._granted.user}: a maildrop is open already")
        maildrop = self._maildrop = self._open_blocking(self._granted, request.message.get("share") is True)
        self._answer(
            listing(maildrop.wire_octets, maildrop.unique_ids),
            last_accessed=maildrop.last_accessed,
            read_only=maildrop.read_only,
        )

    def _read_ahead(self, request: Frame) -> None:
        maildrop = self._opened
        numbers = self._checked(*request.numbers("numbers"))
        messages = read_messages(maildrop, maildrop.wire_octets, numbers, request.number("octets_max"))
        self._answer(b"".join(messages), sizes=[len(message) for message in messages])

    def _piece(self, request: Frame) -> None:
        stream = request.number("stream")
        if self._reader is None or stream != self._stream:
            self._close_reader()
            (number,) = self._checked(request.number("number"))
            self._reader, self._stream = self._opened.open_message(number), stream
        pieces: list[bytes] = []
        octets = 0
        while octets < PIECE_OCTETS and (piece := self._reader.read()):
            pieces.append(piece)
            octets += len(piece)
        self._answer(b"".join(pieces))

    def _head(self, request: Frame) -> None:
        (number,) = self._checked(request.number("number"))
        self._answer(read_head(self._opened, number, request.number("octets_max")))

    def _commit(self, request: Frame) -> None:
        deleted, retrieved = unpack_numbers(request)
        self._checked(*deleted, *retrieved)
        self._opened.commit(deleted=deleted, retrieved=retrieved)
        self._answer()

    def _close_request(self, _: Frame) -> None:
        self._close()
        self._answer()

    def _rhosts(self, _: Frame) -> None:
        self._answer(read_rhosts(self._granted.home, self._granted.uid, moved_below=self._spool_root))

    def _checked(self, *numbers: int) -> tuple[int, ...]:
        count = len(self._opened.wire_octets)
        if not all(1 <= number <= count for number in numbers):
            raise ChannelError("no such message")
        return numbers

    def _close_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _close(self) -> None:
        maildrop, self._maildrop = self._maildrop, None
        if maildrop is not None:
            # The maildrop first: whatever happens with a reader, the session lock must go.
            maildrop.close()
        self._close_reader()
