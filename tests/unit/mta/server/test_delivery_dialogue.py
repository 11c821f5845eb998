"""Tests of ``mta.server.delivery_dialogue``."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery.environment import Recipient
from delivery.errors import MailLoopError, ProgramRefusedError
from delivery.program_shares import ProgramShare
from delivery.resolver import Account
from mta.server.delivery_dialogue import DONE, account_of, error_frame, order_of, outcome_of, request, sender_of
from serving.channel import ChannelError, Frame, FrameDecoder, encode
from spool.errors import EnhancedStatus, MailboxUnavailableError, QuotaExceededError, SpoolError
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


@pytest.mark.parametrize("error", [QuotaExceededError("full"), MailLoopError("again"), SpoolError("?")])
def test_an_error_keeps_its_class_and_its_text(error: SpoolError) -> None:
    found = outcome_of(sent(error_frame(error)))
    assert (type(found), str(found), found and found.status) == (type(error), str(error), error.status)


def test_what_a_program_printed_arrives() -> None:
    found = outcome_of(sent(error_frame(ProgramRefusedError("exit 100", "no such list"))))
    assert isinstance(found, ProgramRefusedError)
    assert (found.public_text, found.status) == ("no such list", EnhancedStatus(5, 3, 0))


def test_done_is_done() -> None:
    assert outcome_of(sent(DONE)) is None


@pytest.mark.parametrize("status", [[2, 0, 0], [5], [True, 0, 0], "5.0.0", None])
def test_an_error_that_is_none_is_temporary(status: object) -> None:
    frame = Frame({"error": "MailLoopError", "text": "x", "public": "x", "status": status})
    assert isinstance(outcome_of(frame), MailboxUnavailableError)


def test_an_error_of_an_unknown_class_is_the_root_of_them() -> None:
    frame = Frame({"error": "os", "text": "x", "public": "x", "status": [4, 0, 0]})
    assert type(outcome_of(frame)) is SpoolError


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
