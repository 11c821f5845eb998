"""Tests of ``mta.server.delivery_dialogue``."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery.environment import Recipient
from delivery.errors import MailLoopError
from delivery.program_shares import ProgramShare
from delivery.resolver import Account
from mta.server.delivery_dialogue import DONE, account_of, order_of, outcome_of, request, sender_of
from serving.channel import ChannelError, Frame, FrameDecoder, encode
from serving.error_frames import error_frame
from serving.errors import OperationTimedOutError
from spool.errors import MailboxUnavailableError, QuotaExceededError, SpoolError
from spool.names import UserName
from spool.quota.limits import Limit


def sent(frame: Frame) -> Frame:
    """A frame as it arrives at the other end."""
    (arrived,) = FrameDecoder().feed(encode(frame))
    return arrived


@pytest.mark.parametrize("limit", [None, Limit(1000, None), Limit(None, 5)])
@pytest.mark.parametrize("wildcard", [None, "joe-"])
def test_an_account_is_the_same_at_the_other_end(limit: Limit | None, wildcard: str | None) -> None:
    home = Path("/h/j\udcffoe")
    recipient = Recipient("joe-a.b", "a.org", UserName("joe"), 1000, 1001, home, "-", "a.b")
    account = Account(recipient, wildcard, limit, ProgramShare(2, 1.5))
    order = order_of(account)
    assert (order.user, order.uid, order.gid, order.programs) == (UserName("joe"), 1000, 1001, 2)
    assert account_of(sent(Frame(order.message))) == account


@pytest.mark.parametrize("error", [QuotaExceededError("full"), MailLoopError("again"), OperationTimedOutError("late")])
def test_an_error_is_the_same_at_the_other_end(error: SpoolError) -> None:
    found = outcome_of(sent(error_frame(error)))
    assert (type(found), str(found)) == (type(error), str(error))


def test_done_is_done() -> None:
    assert outcome_of(sent(DONE)) is None


def test_an_answer_that_is_none_is_temporary() -> None:
    assert isinstance(outcome_of(Frame({"error": "MailLoopError"})), MailboxUnavailableError)


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from(["done", "error", "text", "public", "status"]), st.none() | st.text()))
def test_nonsense_is_never_done(message: dict[str, object]) -> None:
    assert outcome_of(Frame(message)) is not None


@pytest.mark.parametrize("sender", [None, "s@x", ""])
def test_the_sender_is_the_same_at_the_other_end(sender: str | None) -> None:
    assert sender_of(sent(request("check", sender))) == sender


def test_a_sender_that_is_none_is_nonsense() -> None:
    with pytest.raises(ChannelError):
        sender_of(Frame({"sender": 5}))
