"""Tests of ``delivery.dot_forward``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.destinations import Destination, Forward, MaildirFile, MboxFile, OwnMaildrop, Program
from delivery.dot_forward import INCLUDES_MAX, Owner, parse_dot_forward
from delivery.errors import InstructionsError
from spool.names import UserName

JOE = Owner(UserName("joe"), "example.org")


def nothing_to_include(path: str) -> bytes:
    raise InstructionsError(f"{path}: no such file")


def destinations(text: str, files: dict[str, str] | None = None) -> list[Destination]:
    def include(path: str) -> bytes:
        return (files or {})[path].encode()

    return [instruction.destination for instruction in parse_dot_forward(text.encode(), JOE, include=include)]


@pytest.mark.parametrize(
    ("entry", "destination"),
    [
        ("bob@example.net", Forward("bob@example.net")),
        ("bob", Forward("bob@example.org")),
        ("joe", OwnMaildrop()),
        ("Joe@Example.ORG", OwnMaildrop()),
        ("\\joe", OwnMaildrop()),
        ("\\bob", Forward("bob@example.org")),
        ('"\\\\joe"', OwnMaildrop()),
        ("/var/mail/joe", MboxFile("/var/mail/joe")),
        ("/home/joe/Maildir/", MaildirFile("/home/joe/Maildir")),
        ("|/usr/bin/vacation joe", Program("/usr/bin/vacation joe", preline=True)),
        ('"|/usr/bin/procmail -f-, x"', Program("/usr/bin/procmail -f-, x", preline=True)),
        ('|"/usr/bin/procmail -f-"', Program("/usr/bin/procmail -f-", preline=True)),
        ('"|exec \\"x y\\""', Program('exec "x y"', preline=True)),
        ("Bob Smith <bob@example.net>", Forward("bob@example.net")),
        ('"Smith, Bob" <bob@example.net>', Forward("bob@example.net")),
        ("bob@example.net (Bob, my friend)", Forward("bob@example.net")),
        ('"bob smith"@example.net', Forward("bob smith@example.net")),
        ("joe@elsewhere.org", Forward("joe@elsewhere.org")),
    ],
)
def test_an_entry_means_one_destination(entry: str, destination: Destination) -> None:
    assert destinations(entry) == [destination]


def test_commas_and_line_ends_divide_entries() -> None:
    text = "# kept here, too\n\\joe, bob@x.org\r\n\n  ann@y.org,,\n"
    found = parse_dot_forward(text.encode(), JOE, include=nothing_to_include)
    assert [(each.line, each.destination) for each in found] == [
        (2, OwnMaildrop()),
        (2, Forward("bob@x.org")),
        (4, Forward("ann@y.org")),
    ]


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", " , \n", "(nothing)\n", " (to, nobody) (yet),"])
def test_a_file_without_entries_says_nothing(text: str) -> None:
    assert destinations(text) == []


def test_included_addresses_stand_at_the_line_that_includes_them() -> None:
    files = {"/list": "a@x\n:include:/more\n", "/more": "\\joe, b@x"}
    found = parse_dot_forward(b"\n:include: /list\n", JOE, include=lambda path: files[path].encode())
    assert [(each.line, each.destination) for each in found] == [
        (2, Forward("a@x")),
        (2, OwnMaildrop()),
        (2, Forward("b@x")),
    ]


@pytest.mark.parametrize("included", ["/var/mail/joe", "|true"])
def test_an_included_file_names_no_file_and_no_program(included: str) -> None:
    with pytest.raises(InstructionsError, match="line 1: an included file may hold addresses only"):
        destinations(":include:/list", {"/list": included})


def test_files_that_include_each_other_come_to_an_end() -> None:
    with pytest.raises(InstructionsError, match=f"more than {INCLUDES_MAX}"):
        destinations(":include:/a", {"/a": ":include:/b", "/b": ":include:/a"})


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ('"bob@x.org', "line 1: a quote or a parenthesis is not closed"),
        ("ok@x\nbob@x.org (never ends", "line 2: a quote or a parenthesis is not closed"),
        ("|", "line 1: a program without a name"),
        ("bob smith@x.org", "line 1: not an address"),
        ("<>", "line 1: not an address"),
        ("a@" + "b" * 900, "line 1: not an address"),
        ("a\0b", "it contains a NUL"),
    ],
)
def test_what_is_wrong_is_named_by_its_line(text: str, trouble: str) -> None:
    with pytest.raises(InstructionsError, match=trouble):
        destinations(text)


@given(st.text(st.sampled_from('ab@x,\n"\\|/() <>:#'), max_size=60))
def test_anything_is_instructions_or_an_error(text: str) -> None:
    try:
        found = parse_dot_forward(text.encode(), JOE, include=nothing_to_include)
    except InstructionsError:
        return
    # Only what begins like a program or a file, perhaps in quotes, becomes one.
    for each in found:
        assert isinstance(each.destination, OwnMaildrop | Forward) or "|" in text or "/" in text
