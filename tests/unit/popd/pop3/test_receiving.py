from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from popd.pop3.receiving import MessageCollector
from popd.pop3.sending import encode_whole


def collected(*lines: bytes, octets_max: int = 1000) -> MessageCollector:
    collector = MessageCollector(octets_max)
    for line in lines:
        assert not collector.take(line)
    return collector


def test_lines_get_lf() -> None:
    assert collected(b"Subject: a", b"", b"text").message() == b"Subject: a\n\ntext\n"


@pytest.mark.parametrize(("line", "content"), [(b"..", b"."), (b"...", b".."), (b".x", b"x"), (b"x.", b"x.")])
def test_one_leading_dot_is_removed(line: bytes, content: bytes) -> None:
    assert collected(line).message() == content + b"\n"


def test_only_a_lone_dot_ends_the_message() -> None:
    assert MessageCollector(10).take(b".")
    assert not MessageCollector(10).take(b". ")


def test_a_message_of_just_the_limit_is_taken() -> None:
    collector = collected(b"12345", b"789", octets_max=10)
    assert (collector.overflowed, collector.message()) == (False, b"12345\n789\n")


def test_a_message_one_octet_over_the_limit_is_not_taken() -> None:
    assert collected(b"12345", b"7890", octets_max=10).overflowed


def test_a_longer_message_is_dropped_whole_and_the_rest_with_it() -> None:
    collector = collected(b"12345", b"7890", b"1", octets_max=10)
    assert (collector.overflowed, collector.message()) == (True, b"")
    assert collector.take(b".")


def test_a_line_too_long_for_the_shell_drops_the_message() -> None:
    collector = collected(b"1")
    collector.overflow()
    assert not collector.take(b"2")
    assert (collector.overflowed, collector.message()) == (True, b"")


@given(st.lists(st.text("ab.", max_size=4).map(str.encode)))
def test_collecting_undoes_sending(lines: list[bytes]) -> None:
    wire = encode_whole(b"".join(line + b"\r\n" for line in lines), None)
    *sent, terminator, nothing = wire.split(b"\r\n")
    collector = collected(*sent)
    assert collector.message() == b"".join(line + b"\n" for line in lines)
    assert collector.take(terminator)
    assert nothing == b""
