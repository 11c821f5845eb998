"""Worker's side and mail process together: the process runs in a thread, the worker's reactor is turned by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from accounts.checks import RhostsNeeded
from accounts.requests import Granted
from serving import remote_maildrops
from serving.channel import Channel, Frame, socket_pair
from serving.errors import BulkheadFullError, LongerThanListedError, OperationTimedOutError
from serving.mail_process import run_mail_process, session_order
from serving.mail_session import MailSession
from serving.remote_maildrops import RemoteMaildrop, RemoteMaildropOpener
from serving.remote_user_files import RemoteUserFiles
from serving.spawner_client import MailSocket, SpawnerClient
from spool.errors import (
    MailboxBusyError,
    MailboxChangedError,
    MailboxUnavailableError,
    SpoolError,
    StorageFullError,
)
from spool.mailbox import Maildrop
from spool.names import UserName
from tests.unit.serving.loop import Loop
from tests.unit.serving.tiny_maildrop import TinyMaildrop

FRED = Granted(UserName("fred"), 1000, 1000, Path("/home/fred"), b"ticket")
BIG = b"x" * 300_000 + b"\r\n"


class RecordingOpener(RemoteMaildropOpener):
    """Remembers its sessions, so that a test can leave them open."""

    def __init__(self, reactor: Any, spawner: SpawnerClient, operation_seconds: float) -> None:
        super().__init__(reactor, spawner, operation_seconds, openings_per_user=2)
        self.sessions: list[MailSession] = []

    def _session(self, mail_socket: MailSocket) -> MailSession:
        self.sessions.append(super()._session(mail_socket))
        return self.sessions[-1]


class Stage:
    """A mail process in a thread, a spawner that hands out sessions with it, and the worker's side of both."""

    def __init__(self, operation_seconds: float = 20.0) -> None:
        self.loop = Loop()
        self.outcome: Maildrop | Exception = TinyMaildrop(b"one\r\n", b"two\r\n", BIG, b"gone")
        self.opened_by: list[tuple[str, bool]] = []
        self.release = threading.Event()
        self.release.set()
        ours, theirs = socket_pair()
        self.control = Channel(ours)
        self.thread = threading.Thread(
            target=run_mail_process, args=(self.open_blocking, Path("/spool"), Channel(theirs)), daemon=True
        )
        self.thread.start()
        near, far = socket_pair()
        self.spawner = Channel(far)
        self.client = SpawnerClient(self.loop.reactor)
        self.client.connect(near)
        self.opener = RecordingOpener(self.loop.reactor, self.client, operation_seconds)

    def open_blocking(self, granted: Granted, share: bool) -> Maildrop:
        self.release.wait(20)
        self.opened_by.append((granted.user.text, share))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    @property
    def maildrop(self) -> TinyMaildrop:
        assert isinstance(self.outcome, TinyMaildrop)
        return self.outcome

    def hand_session(self) -> None:
        """Be the spawner: answer the next request with a session."""
        request = self.spawner.receive()
        assert request is not None
        assert request.body == FRED.ticket
        near, far = socket_pair()
        with near, far:
            self.control.send(
                Frame(session_order(FRED.user, FRED.uid, FRED.gid, FRED.home).message, descriptor=far.fileno())
            )
            self.spawner.send(Frame({"number": request.number("number")}, descriptor=near.fileno()))

    def open(self, *, share: bool = False) -> RemoteMaildrop:
        opening = self.opener.open(FRED, share=share)
        self.hand_session()
        found = self.loop.wait(opening)
        assert isinstance(found, RemoteMaildrop)
        return found

    def wait_until_idle(self) -> None:
        assert self.control.receive() == Frame({"kind": "idle"})

    def close(self) -> None:
        self.release.set()
        for session in self.opener.sessions:
            session.close()
        self.client.close()
        self.spawner.close()
        self.control.close()
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.fixture
def stage() -> Iterator[Stage]:
    found = Stage()
    yield found
    found.close()


def test_an_opened_maildrop_shows_the_snapshot(stage: Stage) -> None:
    opened = stage.open(share=True)
    assert opened.wire_octets == [5, 5, 300_002, 4]
    assert opened.unique_ids == ["id-1", "id-2", "id-3", "id-4"]
    assert (opened.last_accessed, opened.read_only) == (1, False)
    assert stage.opened_by == [("fred", True)]
    stage.loop.wait(opened.close())


def test_an_empty_maildrop_can_be_opened(stage: Stage) -> None:
    stage.outcome = TinyMaildrop()
    opened = stage.open()
    assert (opened.wire_octets, opened.unique_ids) == ([], [])
    stage.loop.wait(opened.close())


def test_a_listing_of_many_messages_crosses_in_parts(stage: Stage) -> None:
    stage.outcome = TinyMaildrop(*[b"x"] * 60_000)
    opened = stage.open()
    assert opened.wire_octets == [1] * 60_000
    assert opened.unique_ids[-1] == "id-60000"
    stage.loop.wait(opened.commit(set(range(1, 60_001)), {60_000}))
    assert stage.maildrop.committed == (set(range(1, 60_001)), {60_000})
    stage.loop.wait(opened.close())


def test_messages_are_read_ahead_as_far_as_they_fit(stage: Stage) -> None:
    opened = stage.open()
    assert stage.loop.wait(opened.read_ahead([2, 1, 3], 1000)) == [b"two\r\n", b"one\r\n"]
    assert stage.loop.wait(opened.head(3, 10)) == b"x" * 10
    stage.loop.wait(opened.close())


def test_a_long_message_streams_and_can_be_given_up(stage: Stage) -> None:
    opened = stage.open()
    stream, pieces = opened.stream(3), []
    while piece := stage.loop.wait(stream.read()):
        pieces.append(piece)
    assert b"".join(pieces) == BIG
    assert stage.loop.wait(stream.read()) == b""
    abandoned = opened.stream(3)
    first = stage.loop.wait(abandoned.read())
    abandoned.close()
    assert stage.loop.wait(abandoned.read()) == b""
    assert stage.loop.wait(opened.stream(3).read()) == first
    assert stage.maildrop.readers[1].closed
    stage.loop.wait(opened.close())
    assert stage.maildrop.readers[2].closed


def test_closing_closes_without_committing_and_frees_the_process(stage: Stage) -> None:
    opened = stage.open()
    stage.loop.wait(opened.close())
    assert (stage.maildrop.closed, stage.maildrop.committed) == (1, None)
    stage.loop.wait(opened.close())
    stage.wait_until_idle()
    again = stage.open()
    stage.loop.wait(again.close())
    assert stage.maildrop.closed == 2


def test_a_worker_that_dies_closes_the_maildrop_without_committing(stage: Stage) -> None:
    opened = stage.open()
    opened._session._channel.close()
    stage.wait_until_idle()
    assert (stage.maildrop.closed, stage.maildrop.committed) == (1, None)


@pytest.mark.parametrize(
    "error", [MailboxBusyError("locked"), StorageFullError("full"), MailboxChangedError("changed"), SpoolError("x")]
)
def test_an_error_crosses_as_the_same_class(stage: Stage, error: SpoolError) -> None:
    stage.outcome = error
    with pytest.raises(type(error), match=str(error)):
        stage.open()


def test_errors_of_reading_leave_the_maildrop_open(stage: Stage) -> None:
    opened = stage.open()
    with pytest.raises(MailboxChangedError):
        stage.loop.wait(opened.read_ahead([4], 100))
    with pytest.raises(LongerThanListedError):
        stage.loop.wait(opened.read_ahead([3], 100))
    assert stage.loop.wait(opened.head(1, 100)) == b"one\r\n"
    stage.loop.wait(opened.close())


def test_a_second_operation_at_once_is_refused(stage: Stage) -> None:
    opened = stage.open()
    first = opened.head(1, 10)
    with pytest.raises(BulkheadFullError):
        stage.loop.wait(opened.head(2, 10))
    assert stage.loop.wait(first) == b"one\r\n"
    stage.loop.wait(opened.close())


def test_a_close_waits_for_the_operation_that_is_out(stage: Stage) -> None:
    opened = stage.open()
    commit = opened.commit({1}, {2})
    stage.loop.wait(opened.close())
    assert stage.loop.wait(commit) is None
    assert (stage.maildrop.committed, stage.maildrop.closed) == (({1}, {2}), 1)


def test_a_busy_maildrop_is_tried_again_with_the_same_ticket_in_the_same_session(stage: Stage) -> None:
    stage.outcome = MailboxBusyError("locked")
    with pytest.raises(MailboxBusyError):
        stage.open()
    stage.outcome = TinyMaildrop()
    opened = stage.loop.wait(stage.opener.open(FRED))
    stage.loop.wait(opened.close())
    assert len(stage.opened_by) == 2


def test_a_session_kept_for_another_attempt_is_let_go_in_the_end(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_maildrops, "KEEP_SECONDS", 0.05)
    stage.outcome = MailboxBusyError("locked")
    with pytest.raises(MailboxBusyError):
        stage.open()
    stage.loop.until(lambda: not stage.opener._kept)
    stage.wait_until_idle()


def test_a_cancelled_open_gives_the_maildrop_back_as_soon_as_it_is_open(stage: Stage) -> None:
    stage.release.clear()
    opening = stage.opener.open(FRED)
    stage.hand_session()
    stage.loop.until(lambda: stage.opener.hung == 0 and not stage.client._requests)
    opening.addErrback(lambda _: None)
    opening.cancel()
    stage.release.set()
    stage.wait_until_idle()
    assert stage.maildrop.closed == 1


def test_an_open_cancelled_before_the_spawner_answers_leaves_no_session(stage: Stage) -> None:
    opening = stage.opener.open(FRED)
    opening.addErrback(lambda _: None)
    opening.cancel()
    stage.hand_session()
    receiver = threading.Thread(target=stage.wait_until_idle)
    receiver.start()
    stage.loop.until(lambda: not receiver.is_alive())
    assert stage.opened_by == []


def test_a_process_that_does_not_answer_is_given_up_counted_and_killed() -> None:
    stage = Stage(operation_seconds=0.05)
    stage.release.clear()
    with pytest.raises(OperationTimedOutError):
        stage.open()
    assert stage.opener.hung == 1
    assert stage.spawner.receive() == Frame({"number": 1, "kill": True})
    stage.close()


def test_a_user_with_too_many_openings_out_is_refused_at_once_and_others_are_not(stage: Stage) -> None:
    out = [stage.opener.open(FRED) for _ in range(2)]
    with pytest.raises(BulkheadFullError):
        stage.loop.wait(stage.opener.open(FRED))
    other = stage.opener.open(replace(FRED, user=UserName("jane")))
    for number in (1, 2, 3):  # the refused one did not even reach the spawner
        stage.spawner.receive()
        stage.spawner.send(Frame({"number": number, "refused": "not now"}))
    for opening in (*out, other):
        with pytest.raises(MailboxUnavailableError, match="not now"):
            stage.loop.wait(opening)
    assert len(stage.open().unique_ids) == 4  # an opening that has ended, however, leaves its place to the next


def test_a_spawner_that_refuses_or_is_gone_is_temporary(stage: Stage) -> None:
    refused = stage.opener.open(FRED)
    stage.spawner.receive()
    stage.spawner.send(Frame({"number": 1, "refused": "ticket used already"}))
    with pytest.raises(MailboxUnavailableError, match="ticket used already"):
        stage.loop.wait(refused)
    full = stage.opener.open(FRED)
    stage.spawner.receive()
    stage.spawner.send(Frame({"number": 2, "refused": "20 mail processes", "full": True}))
    with pytest.raises(BulkheadFullError, match="20 mail processes"):
        stage.loop.wait(full)
    lost = stage.opener.open(FRED)
    stage.spawner.close()
    with pytest.raises(MailboxUnavailableError, match="the spawner is gone"):
        stage.loop.wait(lost)
    with pytest.raises(MailboxUnavailableError, match="no spawner now"):
        stage.loop.wait(stage.opener.open(FRED))


@pytest.mark.parametrize(
    "answer",
    [Frame({}), Frame({"last_accessed": 0}, b"not a listing\n"), Frame({"error": 5}), Frame({"error": "E", "text": 1})],
)
def test_a_process_that_talks_nonsense_is_temporary(answer: Frame) -> None:
    stage = Stage()
    opening = stage.opener.open(FRED)
    request = stage.spawner.receive()
    assert request is not None
    near, far = socket_pair()
    with near:
        stage.spawner.send(Frame({"number": request.number("number")}, descriptor=near.fileno()))
    with Channel(far) as process:
        process.send(answer)
        with pytest.raises(MailboxUnavailableError):
            stage.loop.wait(opening)
    stage.close()


@pytest.mark.parametrize(
    "request_frame",
    [
        Frame({}),
        Frame({"do": "format"}),
        Frame({"do": "head", "number": 0, "octets_max": 1}),
        Frame({"do": "head", "number": 5, "octets_max": 1}),
        Frame({"do": "read_ahead", "numbers": [1, 99], "octets_max": 1}),
        Frame({"do": "commit", "split": 9}),
        Frame({"do": "commit", "split": 0}, b"\xff"),
    ],
)
def test_a_worker_that_talks_nonsense_loses_its_session(stage: Stage, request_frame: Frame) -> None:
    opened = stage.open()
    with pytest.raises(MailboxUnavailableError, match="has ended"):
        stage.loop.wait(opened._session.ask(request_frame))
    stage.wait_until_idle()
    assert (stage.maildrop.closed, stage.maildrop.committed) == (1, None)


@pytest.mark.parametrize("do", ["head", "read_ahead", "piece", "commit"])
def test_nothing_is_read_from_a_maildrop_that_is_not_open(stage: Stage, do: str) -> None:
    opened = stage.open()
    stage.loop.wait(opened._session.ask(Frame({"do": "close"})))
    request = Frame({"do": do, "number": 1, "numbers": [1], "octets_max": 1, "stream": 1, "split": 0})
    with pytest.raises(MailboxUnavailableError, match="no maildrop is open"):
        stage.loop.wait(opened._session.ask(request))


def test_rhosts_is_read_by_the_users_process(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(home: Path, uid: int, *, moved_below: Path) -> bytes:
        return f"{home} {uid} {moved_below}".encode()

    monkeypatch.setattr("serving.mail_process.read_rhosts", read)
    seal: Callable[[Any], bytes] = lambda needed: b"ticket"  # noqa: E731
    files = RemoteUserFiles(stage.loop.reactor, stage.client, 20.0, seal)
    reading = files.read_rhosts(RhostsNeeded(FRED.user, FRED.uid, FRED.gid, FRED.home))
    stage.hand_session()
    assert stage.loop.wait(reading) == b"/home/fred 1000 /spool"
    stage.wait_until_idle()
