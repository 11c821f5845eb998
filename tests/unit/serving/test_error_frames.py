"""Tests of ``serving.error_frames``."""

from __future__ import annotations

from typing import Final

import pytest

import spool.errors
from serving.channel import ChannelError, Frame, FrameDecoder, encode
from serving.error_frames import error_frame, error_of, known_errors
from spool.errors import EnhancedStatus, MalformedNameError, QuotaExceededError, SpoolError

KNOWN: Final = known_errors(spool.errors)


def sent(error: SpoolError) -> Frame:
    """The frame of an error, as it arrives at the other end."""
    (arrived,) = FrameDecoder().feed(encode(error_frame(error)))
    return arrived


@pytest.mark.parametrize("error", [QuotaExceededError("full"), MalformedNameError("a\udcff"), SpoolError("?")])
def test_an_error_keeps_its_class_its_text_and_its_status(error: SpoolError) -> None:
    found = error_of(sent(error), KNOWN)
    assert (type(found), str(found), found.status) == (type(error), str(error), error.status)
    assert found.public_text == error.public_text


def test_what_an_error_has_from_elsewhere_goes_along() -> None:
    class ToldError(SpoolError):
        def __init__(self) -> None:
            super().__init__("exit 100")
            self.public_text = "no such list"
            self.status = EnhancedStatus(5, 3, 0)

    found = error_of(sent(ToldError()), KNOWN)
    assert (type(found), found.public_text, found.status) == (SpoolError, "no such list", EnhancedStatus(5, 3, 0))
    assert SpoolError.public_text == "mail system error"


@pytest.mark.parametrize("status", [[2, 0, 0], [5], [True, 0, 0], "5.0.0", None])
def test_a_status_that_is_no_error_s_is_nonsense(status: object) -> None:
    with pytest.raises(ChannelError):
        error_of(Frame({"error": "QuotaExceededError", "text": "x", "public": "x", "status": status}), KNOWN)
