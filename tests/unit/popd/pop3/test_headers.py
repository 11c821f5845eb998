from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from popd.pop3.headers import field_value

HEAD = (
    b"Received: from a\r\nMessage-Id: <1@example.org>\r\nSubject: one\r\n\ttwo\r\n  three \r\n"
    b"X:\r\nSubject: later\r\n\r\nTo: body\r\n"
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"Message-Id", b"<1@example.org>"),
        (b"MESSAGE-ID", b"<1@example.org>"),
        (b"Received", b"from a"),
        (b"Subject", b"one two three"),
        (b"X", b""),
        (b"To", b""),
        (b"Sub", b""),
        (b".*", b""),
    ],
)
def test_the_first_field_of_a_name_is_found(name: bytes, value: bytes) -> None:
    assert field_value(HEAD, name) == value


def test_an_empty_header_has_no_fields() -> None:
    assert field_value(b"\r\nSubject: body\r\n", b"Subject") == b""


def test_a_header_without_a_blank_line_is_read_to_its_end() -> None:
    assert field_value(b"To: a\r\nSubject: cut", b"Subject") == b"cut"


@pytest.mark.parametrize("value", [b"a\rb", b"a\0b", b"a\nb", b"a\x1b[2Jb"])
def test_control_characters_do_not_get_through(value: bytes) -> None:
    found = field_value(b"Subject: " + value + b"\r\n\r\n", b"Subject")
    assert not any(octet < 32 and octet != 9 for octet in found)


@given(st.binary(max_size=200), st.sampled_from([b"Subject", b"S", b"x-%s{0}"]))
def test_any_head_gives_one_line(head: bytes, name: bytes) -> None:
    assert not {0, 10, 13} & set(field_value(name + b": " + head, name))


@pytest.mark.parametrize(
    "head", [b"Subject: a\r\n" + b" \r\n" * 300_000, b"A: b\r\n" * 150_000, b"Subject" + b" " * 10**6, b"\r" * 10**6]
)
def test_a_huge_head_takes_linear_time(head: bytes) -> None:
    started = time.process_time()
    field_value(head, b"Subject")
    assert time.process_time() - started < 2
