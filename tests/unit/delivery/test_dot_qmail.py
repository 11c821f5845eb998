"""Tests of ``delivery.dot_qmail``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.destinations import Destination, Forward, MaildirFile, MboxFile, Program
from delivery.dot_qmail import parse_dot_qmail
from delivery.errors import InstructionsError


@pytest.mark.parametrize(
    ("line", "destination"),
    [
        ("./Maildir/", MaildirFile("./Maildir")),
        ("/var/mail/joe", MboxFile("/var/mail/joe")),
        ("./Mailbox", MboxFile("./Mailbox")),
        ("|preline procmail", Program("preline procmail")),
        ("| cat", Program(" cat")),
        ("&bob@example.org", Forward("bob@example.org")),
        ("bob@example.org", Forward("bob@example.org")),
        (" ./Mailbox", Forward(" ./Mailbox")),
        ("./Mailbox \t ", MboxFile("./Mailbox")),
        ("-n@example.org", Forward("-n@example.org")),
        ("/", MaildirFile("/")),
    ],
)
def test_the_first_octet_says_what_a_line_means(line: str, destination: Destination) -> None:
    (instruction,) = parse_dot_qmail(line.encode())
    assert (instruction.line, instruction.destination) == (1, destination)


@pytest.mark.parametrize("line", ["# comment", "+anything", "+list", "#"])
def test_some_lines_say_nothing(line: str) -> None:
    assert parse_dot_qmail(line.encode()) == ()


def test_lines_keep_their_numbers_and_order() -> None:
    found = parse_dot_qmail(b"# mine\n&a@b\n\n  \n./Mailbox\n")
    assert [(instruction.line, instruction.destination) for instruction in found] == [
        (2, Forward("a@b")),
        (5, MboxFile("./Mailbox")),
    ]


@pytest.mark.parametrize("text", [b"\n./Mailbox\n", b" \t\n", b"\n"])
def test_a_blank_first_line_makes_the_mail_wait(text: bytes) -> None:
    with pytest.raises(InstructionsError, match="line 1: it is blank"):
        parse_dot_qmail(text)


@pytest.mark.parametrize("text", [b"+list\n./Mailbox\n", b"a@b\n+list\n|true\n"])
def test_below_list_only_addresses_are_allowed(text: bytes) -> None:
    with pytest.raises(InstructionsError, match="only addresses"):
        parse_dot_qmail(text)


def test_an_executable_file_holds_only_addresses() -> None:
    assert len(parse_dot_qmail(b"a@b\nc@d\n", addresses_only=True)) == 2
    with pytest.raises(InstructionsError, match="line 2: only addresses"):
        parse_dot_qmail(b"a@b\n./Maildir/\n", addresses_only=True)


def test_a_nul_is_named_by_its_line() -> None:
    with pytest.raises(InstructionsError, match="line 2: it contains a NUL"):
        parse_dot_qmail(b"a@b\n|x\0y\n")


@pytest.mark.parametrize("line", ["&", "&" + "a" * 901, "a@b\r"])
def test_what_cannot_be_an_address_is_an_error(line: str) -> None:
    with pytest.raises(InstructionsError, match="line 1: not an address"):
        parse_dot_qmail(line.encode())


@given(st.lists(st.sampled_from([b"a@b", b"&c@d", b"./Mailbox", b"|true", b"", b"# x", b"+x", b" \t"]), max_size=8))
def test_every_line_that_says_something_is_an_instruction(lines: list[bytes]) -> None:
    found = parse_dot_qmail(b"\n".join([b"# first", *lines]))
    telling = [number for number, line in enumerate(lines, 2) if line.strip() and line[:1] not in b"#+"]
    assert [instruction.line for instruction in found] == telling
