from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from spool.errors import MailboxUnavailableError, QuotaExceededError, QuotaExceededForGoodError, SpoolError
from spool.mailbox import MailboxKind
from spool.maildir import MaildirMailbox
from spool.quota.limits import Limit
from spool.quota.mailbox import QuotaMailbox
from spool.quota.usage import Usage
from tests.one_user import ENVELOPE, OneUser, numbered, read_all


class Figure:
    """A figure in memory, beside what counting would tell."""

    def __init__(self, octets: int = 0, messages: int = 0, *, counted: Usage | None = None) -> None:
        self.octets, self.messages = octets, messages
        self.counted = counted
        self.counts = 0
        self.forgotten = False

    def look(self) -> Usage:
        return Usage(self.octets, self.messages, certain=self.counted is None)

    def count(self) -> Usage:
        self.counts += 1
        assert self.counted is not None
        self.octets, self.messages, _ = self.counted
        return self.counted

    def add(self, octets: int, messages: int) -> None:
        self.octets += octets
        self.messages += messages

    def forget(self) -> None:
        self.forgotten = True


@pytest.fixture
def user(tmp_path: Path) -> OneUser:
    return OneUser(tmp_path / "home", MailboxKind.MAILDIR)


def limited(user: OneUser, figure: Figure, limit: Limit, *, permanent: bool = False) -> QuotaMailbox:
    return QuotaMailbox(user.mailbox, limit, figure, full="permanent" if permanent else "temporary")


def test_a_delivery_within_the_limit_is_stored_and_counted(user: OneUser) -> None:
    figure = Figure(500, 1)
    limited(user, figure, Limit(508, 2)).deliver([b"a: b\n", b"\nc\n"], ENVELOPE)
    assert len(user.messages()) == 1
    assert (figure.octets, figure.messages) == (508, 2)


@pytest.mark.parametrize("limit", [Limit(507, None), Limit(None, 1), Limit(100, None)])
def test_a_delivery_beyond_the_limit_leaves_nothing(user: OneUser, limit: Limit) -> None:
    figure = Figure(500, 1)
    with pytest.raises(QuotaExceededError) as caught:
        limited(user, figure, limit).deliver([b"a: b\n", b"\nc\n"], ENVELOPE)
    assert str(caught.value.status) == "4.2.2"
    assert [path for path in user.location.path.rglob("*") if path.is_file()] == []
    assert (figure.octets, figure.messages) == (500, 1)


def test_a_full_mailbox_refuses_for_good_where_the_site_wants_that(user: OneUser) -> None:
    with pytest.raises(QuotaExceededForGoodError) as caught:
        limited(user, Figure(500, 1), Limit(500, None), permanent=True).deliver([b"x"], ENVELOPE)
    assert caught.value.status.permanent


def test_nothing_is_read_of_a_message_for_which_there_is_no_room_at_all(user: OneUser) -> None:
    def message() -> Iterator[bytes]:
        pytest.fail("read")
        yield b""

    with pytest.raises(QuotaExceededError):
        limited(user, Figure(500, 1), Limit(None, 1)).deliver(message(), ENVELOPE)


def test_no_more_is_read_of_a_message_than_there_is_room_for(user: OneUser) -> None:
    taken = []

    def message() -> Iterator[bytes]:
        for piece in (b"a: b\n\n", b"x" * 100, b"y" * 100, b"z" * 100):
            taken.append(piece[:1])
            yield piece

    with pytest.raises(QuotaExceededError):
        limited(user, Figure(), Limit(150, None)).deliver(message(), ENVELOPE)
    assert taken == [b"a", b"x", b"y"]


def test_a_figure_that_may_be_wrong_refuses_nothing_before_it_was_counted(user: OneUser) -> None:
    figure = Figure(5000, 9, counted=Usage(100, 1, certain=True))
    limited(user, figure, Limit(1000, None)).deliver([b"x\n"], ENVELOPE)
    assert (figure.octets, figure.messages, figure.counts) == (102, 2, 1)


def test_a_mailbox_that_counting_finds_full_is_counted_once(user: OneUser) -> None:
    figure = Figure(500, 9, counted=Usage(900, 1, certain=True))
    with pytest.raises(QuotaExceededError):
        limited(user, figure, Limit(1000, None)).deliver([b"x" * 60] * 20, ENVELOPE)
    assert figure.counts == 1


def test_a_failed_delivery_is_not_counted(user: OneUser) -> None:
    def message() -> Iterator[bytes]:
        yield b"x"
        raise MailboxUnavailableError("the sender went away")

    figure = Figure()
    with pytest.raises(MailboxUnavailableError):
        limited(user, figure, Limit(1000, None)).deliver(message(), ENVELOPE)
    assert (figure.octets, figure.messages) == (0, 0)


def test_a_session_shows_what_the_mailbox_holds(user: OneUser) -> None:
    user.deliver(*numbered(range(3)))
    user.session(retrieved={2})
    expected = user.messages()
    maildrop = limited(user, Figure(), Limit(1, None)).open_maildrop()
    assert read_all(maildrop) == expected
    assert maildrop.last_accessed == 2
    assert not maildrop.read_only
    assert maildrop.facts(2).fetched
    assert limited(user, Figure(), Limit(1, None)).open_maildrop(share=True).read_only
    maildrop.close()


def test_what_a_session_deletes_is_taken_from_the_figure(user: OneUser) -> None:
    stored = [each.stored_octets for each in user.deliver(*numbered(range(3)))]
    figure = Figure(1000, 3)
    maildrop = limited(user, figure, Limit(1, None)).open_maildrop()
    maildrop.commit(deleted={1, 3}, retrieved={2})
    maildrop.close()
    assert (figure.octets, figure.messages) == (1000 - stored[0] - stored[2], 1)


def test_a_session_that_deletes_nothing_leaves_the_figure_alone(user: OneUser) -> None:
    user.deliver(*numbered(range(3)))
    figure = Figure(1000, 3)
    maildrop = limited(user, figure, Limit(1, None)).open_maildrop()
    maildrop.commit(deleted=set(), retrieved={2})
    maildrop.close()
    assert (figure.octets, figure.messages) == (1000, 3)


def test_what_another_program_has_removed_is_its_own_to_tell(user: OneUser) -> None:
    user.deliver(*numbered(range(1)))
    figure = Figure(1000, 3)
    maildrop = limited(user, figure, Limit(1, None)).open_maildrop()
    for path in (user.location.path / "new").iterdir():
        path.unlink()
    maildrop.commit(deleted={1}, retrieved=set())
    maildrop.close()
    assert (figure.octets, figure.messages) == (1000, 3)


@pytest.mark.parametrize(("deleted", "forgotten"), [({1}, True), (set(), False)])
def test_a_failed_commit_lets_the_figure_be_counted_again(
    user: OneUser, monkeypatch: pytest.MonkeyPatch, deleted: set[int], forgotten: bool
) -> None:
    user.deliver(*numbered(range(2)))
    figure = Figure(1000, 3)
    maildrop = limited(user, figure, Limit(1, None)).open_maildrop()

    def fail(self: object, **marks: Iterable[int]) -> None:
        raise MailboxUnavailableError("disk")

    monkeypatch.setattr("spool.maildir.maildrop.MaildirMaildrop.commit", fail)
    with pytest.raises(SpoolError):
        maildrop.commit(deleted=deleted, retrieved=set())
    maildrop.close()
    assert figure.forgotten is forgotten


def test_the_location_is_that_of_the_mailbox(user: OneUser) -> None:
    mailbox = limited(user, Figure(), Limit(1, None))
    assert mailbox.location == MaildirMailbox(user.location).location
