"""Tests of ``delivery.addresses``."""

from __future__ import annotations

from email.parser import Parser
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.addresses import quoted, split_address


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("joe@example.org", "joe@example.org"),
        ('a b"c@x.org', '"a b\\"c"@x.org'),
        ("", ""),
        ("joe", "joe"),
        (".joe@x", '".joe"@x'),
        ("joe.@x", '"joe."@x'),
        ("j..e@x", '"j..e"@x'),
        ("@x", '""@x'),
        ("a@b@c", '"a@b"@c'),
        ("a\\b@c", '"a\\\\b"@c'),
        ("jö@x", '"jö"@x'),
        ("first.last+tag=x@y", "first.last+tag=x@y"),
    ],
)
def test_local_parts_are_quoted_where_they_must_be(address: str, written: str) -> None:
    assert quoted(address) == written


def test_the_last_at_divides() -> None:
    assert split_address("a@b@c") == ("a@b", "c")
    assert split_address("a") == ("a", None)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20))
def test_what_is_quoted_is_read_back_by_others(local: str) -> None:
    message = Parser(policy=default).parsestr(f"To: {quoted(f'{local}@example.org')}\n\n")
    (found,) = message["To"].addresses
    assert (found.username, found.domain) == (local, "example.org")
