"""Tests of serving.log_text."""

from __future__ import annotations

import pytest

from serving.log_text import shown


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"fred", "fred"),
        (b"", "-"),
        (b"fred reason=none", "fred\\x20reason=none"),
        (b"a\r\nlogin: user=root", "a\\r\\nlogin:\\x20user=root"),
        (b"\x1b[2J\x7f\xff", "\\x1b[2J\\x7f\\xff"),
        (b"{peer}%s", "{peer}%s"),
        (b"x" * 1000, "x" * 80),
    ],
)
def test_what_a_peer_chose_cannot_look_like_a_line_or_a_field(octets: bytes, text: str) -> None:
    assert shown(octets) == text
