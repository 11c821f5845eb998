"""Tests of notify.heads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.heads import HEAD_OCTETS_MAX, TEXT_CHARACTERS_MAX, MessageHead, read_head

JAPANESE = "新着メール"


@pytest.mark.parametrize(
    ("octets", "subject", "text"),
    [
        (b"Subject: lunch\n\nat one?\n", "lunch", "at one?"),
        (b"Subject: lunch\r\n\r\nat\r\none?\r\n", "lunch", "at one?"),
        (b"From: fred\n\nat one?\n", "", "at one?"),
        (b"Subject: lunch\n", "lunch", ""),
        (b"", "", ""),
        (b"Subject: one\nsubject: two\n\n", "one two", ""),
        (b"Subject: a\n  folded\tline\n\n", "a folded line", ""),
        (b"Subject: =?utf-8?q?caf=C3=A9?=\n\n", "café", ""),
        (b"Subject: =?iso-2022-jp?b?GyRCPzdDZSVhITwlaxsoQg==?=\n\n", JAPANESE, ""),
        (b"Subject: =?utf-8?b?GxtbMko=?=\n\n", "\x1b\x1b[2J", ""),
        (
            b"Subject: x\nContent-Type: text/plain; charset=iso-2022-jp\n\n" + JAPANESE.encode("iso-2022-jp"),
            "x",
            JAPANESE,
        ),
        (b"Content-Transfer-Encoding: base64\n\naGVsbG8=\n", "", "hello"),
        (b"Content-Type: text/html\n\n<p>no\n", "", ""),
        (b"Content-Type: text/plain; charset=klingon\n\nqapla\n", "", ""),
    ],
)
def test_subject_and_text_are_decoded(octets: bytes, subject: str, text: str) -> None:
    assert read_head(octets) == MessageHead(subject, text)


def test_the_plain_text_of_several_parts_is_taken() -> None:
    message = b"""Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/html

<p>tags
--b
Content-Type: text/plain

words
--b--
"""
    assert read_head(message).text == "words"


def test_a_long_message_is_read_in_part() -> None:
    head = read_head(b"Subject: long\n\n" + b"x" * (2 * HEAD_OCTETS_MAX))
    assert head == MessageHead("long", "x" * TEXT_CHARACTERS_MAX)


@given(octets=st.binary(max_size=300), subject=st.binary(max_size=60), kind=st.binary(max_size=60))
def test_no_octets_make_it_fail(octets: bytes, subject: bytes, kind: bytes) -> None:
    head = read_head(b"Subject: " + subject + b"\nContent-Type: " + kind + b"\n\n" + octets)
    assert len(head.text) <= TEXT_CHARACTERS_MAX
    assert "\n" not in head.subject + head.text
