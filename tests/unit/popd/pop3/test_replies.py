from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from popd.pop3.replies import MAX_REPLY_OCTETS, multi_line, negative, positive
from popd.pop3.steps import ResponseCode, Send

NEGATIVE = re.compile(rb"-ERR (\[[A-Z0-9/-]+\] )?([^\[\x00-\x1f\x7f-\xff][ -~]*)?\r\n")


def test_a_positive_reply_has_its_status_and_text() -> None:
    assert positive("done") == Send(b"+OK done\r\n")


@pytest.mark.parametrize("code", ResponseCode)
def test_a_response_code_stands_first(code: ResponseCode) -> None:
    assert negative("try later", code).octets == f"-ERR [{code.value}] try later\r\n".encode()


@pytest.mark.parametrize("text", ["[AUTH] no", " [[IN-USE] no", "[no"])
def test_text_cannot_pass_for_a_response_code(text: str) -> None:
    assert not negative(text).octets.startswith(b"-ERR [")


@pytest.mark.parametrize("text", ["two\r\nlines", "nul\0", "caf\u00e9", "\u2028", "\x7f", "%s%n{0}", ""])
def test_text_becomes_one_line_of_printable_ascii(text: str) -> None:
    assert NEGATIVE.fullmatch(negative(text).octets)


@given(st.text(max_size=2000), st.sampled_from([None, *ResponseCode]))
def test_a_negative_reply_is_always_well_formed(text: str, code: ResponseCode | None) -> None:
    octets = negative(text, code).octets
    assert len(octets) <= MAX_REPLY_OCTETS
    assert NEGATIVE.fullmatch(octets)


def test_a_multi_line_reply_ends_with_a_dot() -> None:
    assert multi_line("list", ["one", "two"]).octets == b"+OK list\r\none\r\ntwo\r\n.\r\n"


def test_a_multi_line_reply_may_be_empty() -> None:
    assert multi_line("list", []).octets == b"+OK list\r\n.\r\n"
