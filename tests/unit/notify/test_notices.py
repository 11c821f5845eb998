"""Tests of notify.notices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from notify.heads import MessageHead
from notify.notices import COLUMNS_MAX, cut, printable, short, two_lines


def test_a_notice_has_the_lines_of_qbiff() -> None:
    notice = two_lines("fred-lists", "joe@example.net", MessageHead("lunch", "at one?"))
    assert notice == "\r\n\a*** TO <fred-lists> FROM <joe@example.net>\r\n    lunch/at one?\r\n"


def test_a_short_notice_has_one_line() -> None:
    assert short("fred", "joe@example.net", MessageHead("lunch", "")) == (
        "\r\n\a*** TO <fred> FROM <joe@example.net> lunch\r\n"
    )


@pytest.mark.parametrize(
    ("head", "told"),
    [(MessageHead("", "at one?"), " at one?"), (MessageHead("", ""), ""), (MessageHead("a", "b"), " a")],
)
def test_a_short_notice_tells_the_subject_or_the_text(head: MessageHead, told: str) -> None:
    assert short("fred", "", head) == f"\r\n\a*** TO <fred> FROM <>{told}\r\n"


@pytest.mark.parametrize(
    "text",
    [
        "\x1b]0;owned\x07",  # sets the title of a window
        "\x1b[2J",
        "\x9b2J",  # CSI as one character
        "a\rb",
        "a\x08b",
        "\u202efdp.exe",  # right-to-left override
        "\u2066",
        "\ud800",
        "\x00\x7f\x85",
    ],
)
def test_what_a_terminal_would_act_on_is_replaced(text: str) -> None:
    assert printable(text).isprintable()
    body = two_lines(text, text, MessageHead(text, text)).replace("\r\n", "").replace("\a", "", 1)
    assert body.isprintable()


@given(texts=st.tuples(st.text(), st.text(), st.text(), st.text()))
def test_every_notice_is_two_printable_lines_at_most(texts: tuple[str, str, str, str]) -> None:
    local, sender, subject, text = texts
    for make, lines in ((two_lines, 2), (short, 1)):
        notice = make(local, sender, MessageHead(subject, text))
        assert notice.startswith("\r\n\a")
        assert notice.endswith("\r\n")
        shown = notice.removeprefix("\r\n\a").removesuffix("\r\n").split("\r\n")
        assert len(shown) == lines
        assert all(line.isprintable() for line in shown)
        assert cell_len(shown[-1]) <= COLUMNS_MAX + len("    ")


@pytest.mark.parametrize(
    ("text", "columns", "left"),
    [("abcdef", 3, "abc"), ("新着メール", 5, "新着"), ("e" + "\u0301" * 500, 5, "e" + "\u0301" * 4)],
)
def test_a_text_is_cut_to_columns(text: str, columns: int, left: str) -> None:
    assert cut(text, columns) == left
