from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from accounts.requests import Granted
from serving.blocking import Bulkheads
from serving.errors import BulkheadFullError, LongerThanListedError, OperationTimedOutError
from serving.local_maildrops import STREAM_OCTETS, LocalMaildropOpener
from serving.maildrops import OpenMaildrop
from serving.settings import LimitsSettings
from spool.errors import HomeUnavailableError, MailboxBusyError, MailboxUnavailableError
from spool.mailbox import Maildrop, MessageFacts
from spool.names import UserName
from tests.unit.serving.held_threads import HeldThreads

GRANTED = Granted(UserName("alice"), 1000, 1000, Path("/mail/a/alice"))
PIECE = b"x" * 65536


class MemoryReader:
    """Reads from a list of pieces."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = list(pieces)
        self.closed = 0

    def read(self) -> bytes:
        assert not self.closed
        return self.pieces.pop(0) if self.pieces else b""

    def close(self) -> None:
        self.closed += 1


class MemoryMaildrop:
    """A maildrop of messages that are lists of pieces; touched outside a thread, it fails the test."""

    def __init__(self, threads: HeldThreads, *messages: Sequence[bytes]) -> None:
        self.threads = threads
        self.messages = messages
        self.listed = [sum(map(len, pieces)) for pieces in messages]
        self.readers: list[MemoryReader] = []
        self.committed: list[tuple[AbstractSet[int], AbstractSet[int]]] = []
        self.closed = 0
        self.snapshot_trouble: Exception | None = None
        self.close_trouble: Exception | None = None
        self.unreadable: set[int] = set()
        self.last_accessed = 1
        self.read_only = False

    @property
    def wire_octets(self) -> Sequence[int]:
        assert self.threads.inside
        return self.listed

    @property
    def unique_ids(self) -> Sequence[str]:
        assert self.threads.inside
        if self.snapshot_trouble:
            raise self.snapshot_trouble
        return [f"uid{number}" for number in range(len(self.messages))]

    def open_message(self, number: int) -> MemoryReader:
        assert self.threads.inside
        if number in self.unreadable:
            raise MailboxUnavailableError(f"message {number}")
        self.readers.append(MemoryReader(self.messages[number - 1]))
        return self.readers[-1]

    def facts(self, number: int) -> MessageFacts:
        assert self.threads.inside
        return MessageFacts(self.listed[number - 1], None, fetched=False)

    def commit(self, *, deleted: AbstractSet[int], retrieved: AbstractSet[int]) -> None:
        assert self.threads.inside
        self.committed.append((deleted, retrieved))

    def close(self) -> None:
        assert self.threads.inside
        self.closed += 1
        if self.close_trouble:
            raise self.close_trouble


class Site:
    """An opener whose threads and clock the test moves."""

    def __init__(self, *messages: Sequence[bytes]) -> None:
        self.clock = Clock()
        self.threads = HeldThreads()
        self.bulkheads = Bulkheads(self.clock, LimitsSettings(operation_seconds=20), self.threads, lambda _: None)
        self.maildrop = MemoryMaildrop(self.threads, *messages)
        self.opener = LocalMaildropOpener(self.bulkheads, self.open_blocking, lambda path: str(path.parents[1]))
        self.shared: list[bool] = []

    def open_blocking(self, granted: Granted, share: bool) -> Maildrop:
        assert self.threads.inside
        assert granted == GRANTED
        self.shared.append(share)
        return self.maildrop

    def open(self) -> OpenMaildrop:
        opened: list[OpenMaildrop] = []
        self.opener.open(GRANTED).addCallback(opened.append)
        self.threads.go()
        return opened[0]


def outcomes_of(deferred: Deferred[Any]) -> list[object]:
    outcomes: list[object] = []
    deferred.addCallbacks(outcomes.append, lambda failure: outcomes.append(failure.value))
    return outcomes


def result(site: Site, deferred: Deferred[Any]) -> object:
    """Let the one hop of this operation happen; an exception is returned."""
    outcomes = outcomes_of(deferred)
    site.threads.go()
    return outcomes[0]


def test_the_snapshot_is_read_in_the_hop_that_opens_it() -> None:
    site = Site([b"one"], [b"three"])
    maildrop = site.open()
    assert maildrop.wire_octets == [3, 5]
    assert maildrop.unique_ids == ["uid0", "uid1"]
    assert maildrop.last_accessed == 1
    assert not maildrop.read_only
    assert site.shared == [False]


def test_a_maildrop_can_be_opened_shared() -> None:
    site = Site()
    site.opener.open(GRANTED, share=True)
    site.threads.go()
    assert site.shared == [True]


def test_the_file_system_is_that_of_the_home() -> None:
    site = Site()
    outcomes = outcomes_of(site.opener.open(GRANTED))
    site.clock.advance(20)
    assert str(outcomes[0]) == "alice on /mail: no answer in 20 seconds"


def test_a_home_whose_file_system_is_unknown_is_temporary_trouble() -> None:
    def fail(path: Path) -> str:
        raise OSError(24, "Too many open files")

    site = Site()
    opener = LocalMaildropOpener(site.bulkheads, site.open_blocking, fail)
    [error] = outcomes_of(opener.open(GRANTED))
    assert isinstance(error, HomeUnavailableError)
    assert str(error) == "/mail/a/alice: no telling its file system: Too many open files"


def test_a_maildrop_whose_snapshot_fails_is_closed() -> None:
    site = Site()
    site.maildrop.snapshot_trouble = MailboxBusyError("x")
    assert result(site, site.opener.open(GRANTED)) is site.maildrop.snapshot_trouble
    assert site.maildrop.closed == 1


def test_a_maildrop_that_opens_after_its_session_has_gone_is_closed() -> None:
    site = Site()
    opening = site.opener.open(GRANTED)
    outcomes = outcomes_of(opening)
    opening.cancel()
    assert isinstance(outcomes[0], CancelledError)
    site.threads.go_on()
    assert site.maildrop.closed == 1


def test_one_hop_reads_messages_ahead_while_they_fit() -> None:
    site = Site([b"ab", b"c"], [b"defg"], [b"hij"], [b"k"])
    assert result(site, site.open().read_ahead([1, 2, 3, 4], 9)) == [b"abc", b"defg"]
    assert [reader.closed for reader in site.maildrop.readers] == [1, 1]


def test_reading_ahead_goes_to_the_end_of_the_numbers() -> None:
    site = Site([b"ab"], [b"c"], [b""])
    assert result(site, site.open().read_ahead([1, 3], 9)) == [b"ab", b""]


def test_a_first_message_that_has_grown_beyond_the_limit_is_refused_without_reading_it_whole() -> None:
    site = Site([b"abcdef", b"g"])
    site.maildrop.listed = [3]
    assert isinstance(result(site, site.open().read_ahead([1], 5)), LongerThanListedError)
    assert site.maildrop.readers[0].pieces == [b"g"]
    assert site.maildrop.readers[0].closed


def test_a_later_message_that_has_grown_is_left_for_later() -> None:
    site = Site([b"ab"], [b"abcdef"])
    site.maildrop.listed = [2, 3]
    assert result(site, site.open().read_ahead([1, 2], 5)) == [b"ab"]


def test_trouble_with_a_later_message_does_not_harm_the_first() -> None:
    site = Site([b"ab"], [b"cd"])
    site.maildrop.unreadable = {2}
    maildrop = site.open()
    assert result(site, maildrop.read_ahead([1, 2], 9)) == [b"ab"]
    assert isinstance(result(site, maildrop.read_ahead([2], 9)), MailboxUnavailableError)


def test_a_long_message_comes_in_pieces_of_which_each_takes_one_hop() -> None:
    site = Site([PIECE] * 5)
    stream = site.open().stream(1)
    pieces = [result(site, stream.read()) for _ in range(3)]
    assert pieces == [PIECE * 2, PIECE * 2, PIECE]
    assert len(PIECE * 2) == STREAM_OCTETS
    assert outcomes_of(stream.read()) == [b""]
    assert site.maildrop.readers[0].closed == 1


def test_a_stream_that_was_read_to_its_end_leaves_nothing_to_close() -> None:
    site = Site([b"abc"])
    maildrop = site.open()
    stream = maildrop.stream(1)
    result(site, stream.read())
    stream.close()
    result(site, maildrop.head(1, 1))
    assert site.maildrop.readers[0].closed == 1


def test_a_stream_given_up_is_closed_in_the_next_hop() -> None:
    site = Site([PIECE] * 5)
    maildrop = site.open()
    stream = maildrop.stream(1)
    result(site, stream.read())
    stream.close()
    stream.close()
    assert site.threads.held == []
    assert site.maildrop.readers[0].closed == 0
    result(site, maildrop.head(1, 1))
    assert site.maildrop.readers[0].closed == 1


def test_a_stream_given_up_before_its_first_read_has_nothing_to_close() -> None:
    site = Site([b"abc"])
    maildrop = site.open()
    maildrop.stream(1).close()
    assert result(site, maildrop.close()) is None
    assert site.maildrop.readers == []


def test_a_stream_given_up_before_its_reads_turn_came_is_not_opened_any_more() -> None:
    site = Site([PIECE] * 5)
    stream = site.open().stream(1)
    reading = outcomes_of(stream.read())
    stream.close()
    site.threads.go()
    assert reading == [b""]
    assert site.maildrop.readers == []


def test_a_stream_given_up_between_reads_is_closed_with_the_maildrop() -> None:
    site = Site([PIECE] * 5)
    maildrop = site.open()
    stream = maildrop.stream(1)
    result(site, stream.read())
    stream.close()
    assert result(site, maildrop.close()) is None
    assert site.maildrop.readers[0].closed == 1


@pytest.mark.parametrize(("octets_max", "head"), [(0, b""), (2, b"ab"), (4, b"abcd"), (9, b"abcdef")])
def test_a_head_is_the_first_octets_of_a_message(octets_max: int, head: bytes) -> None:
    site = Site([b"abc", b"def"])
    assert result(site, site.open().head(1, octets_max)) == head
    assert site.maildrop.readers[0].closed == 1


def test_a_commit_is_done_when_its_deferred_fires() -> None:
    site = Site([b"abc"])
    assert result(site, site.open().commit({1}, {2})) is None
    assert site.maildrop.committed == [({1}, {2})]


def test_a_closed_maildrop_lets_the_next_session_begin() -> None:
    site = Site()
    maildrop = site.open()
    first, second = outcomes_of(maildrop.close()), outcomes_of(maildrop.close())
    assert (first, second) == ([], [])
    site.threads.go()
    assert (first, second) == ([None], [None])
    assert outcomes_of(maildrop.close()) == [None]
    assert site.maildrop.closed == 1


def test_a_maildrop_that_is_being_closed_takes_no_operation() -> None:
    site = Site([b"abc"])
    maildrop = site.open()
    maildrop.close()
    assert isinstance(outcomes_of(maildrop.head(1, 1))[0], BulkheadFullError)


def test_a_maildrop_is_closed_when_the_operation_that_is_out_has_returned() -> None:
    site = Site([b"abc"])
    maildrop = site.open()
    reading = outcomes_of(maildrop.head(1, 1))
    closing = outcomes_of(maildrop.close())
    assert len(site.threads.held) == 1
    site.threads.go()
    assert (reading, closing) == ([b"a"], [])
    site.threads.go()
    assert closing == [None]


def test_a_maildrop_with_a_stuck_operation_refuses_others_and_closes_when_it_returns() -> None:
    site = Site([b"abc"])
    maildrop = site.open()
    reading = outcomes_of(maildrop.head(1, 1))
    site.clock.advance(20)
    assert isinstance(reading[0], OperationTimedOutError)
    assert isinstance(outcomes_of(maildrop.head(1, 1))[0], BulkheadFullError)
    closing = outcomes_of(maildrop.close())
    assert site.maildrop.closed == 0
    site.threads.go_on()
    assert closing == [None]
    assert site.maildrop.closed == 1


def test_a_refused_operation_leaves_the_maildrop_usable() -> None:
    site = Site([b"abc"])
    maildrop = site.open()
    for _ in range(2):
        site.bulkheads.run(GRANTED.user, "/mail", lambda: None)
    assert isinstance(outcomes_of(maildrop.head(1, 1))[0], BulkheadFullError)
    site.threads.go_on()
    assert result(site, maildrop.head(1, 1)) == b"a"


def test_trouble_while_closing_is_logged_and_the_maildrop_counts_as_closed() -> None:
    site = Site()
    maildrop = site.open()
    site.maildrop.close_trouble = OSError(5, "Input/output error")
    with capturedLogs() as events:
        assert result(site, maildrop.close()) is None
    assert [event["user"] for event in events] == ["alice"]
