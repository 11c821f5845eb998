import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.mbox.from_line import LINE_OCTETS_MAX, make_from_line, separates

# Seen in mboxes written by the programs of pop3.md 4.1.
FOUND_IN_THE_WILD = [
    b"From a@b.c Thu Jan  1 00:00:00 1970\n",
    b"From a@b.c Thu Jan 01 00:00:00 1970\n",
    b"From a@b.c Thu Jan 1 00:00:00 1970\r\n",
    b"From a@b.c  Thu Jan  1 00:00:00 1970",
    b"From a@b.c Thu Jan  1 1970 00:00:00\n",
    b"From a@b.c Thu Jan  1 00:00 1970\n",
    b"From a@b.c Thu Jan  1 00:00:00 EST 1970\n",
    b"From a@b.c Thu Jan  1 00:00:00 1970 EST\n",
    b"From a@b.c Thu Jan  1 00:00:00 1970 +0900\n",
    b"From a@b.c Thu Jan  1 00:00:00 -0500 (EST) 1970\n",
    b"From a@b.c Thu Jan  1 00:00:00 1970 -0500 (EST)\n",
    b"From uucp Thu Jan  1 00:00:00 1970 remote from host.example\n",
    b"From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n",
    b"From - Thu Jan  1 00:00:00 1970\n",
    b"From  Thu Jan  1 00:00:00 1970\n",
    b"From Thu Jan  1 00:00:00 1970\n",
    b'From "a b"@c.d Thu Jan  1 00:00:00 1970\n',
    b"From a@b.c Thu, 1 Jan 1970 00:00:00 +0000\n",
    b"From a@b.c Thu, 1 Jan 70 00:00\n",
    b"From a@b.c Jan  1 00:00:00 1970\n",
]

PROSE = [
    b"From here on it rained.\n",
    b"From 10:30 to 11:45 in 1997 it rained.\n",
    b"From May 5 on it rained.\n",
    b"From a@b.c\n",
    b"From \n",
    b"From a@b.c Thu Jan  1 00:00:00 19700\n",
]


@pytest.mark.parametrize("line", FOUND_IN_THE_WILD)
@pytest.mark.parametrize("after_blank_line", [True, False])
def test_every_form_found_in_the_wild_separates(line: bytes, after_blank_line: bool) -> None:
    assert separates(line, after_blank_line=after_blank_line)


@pytest.mark.parametrize("line", PROSE)
@pytest.mark.parametrize("after_blank_line", [True, False])
def test_text_does_not_separate(line: bytes, after_blank_line: bool) -> None:
    assert not separates(line, after_blank_line=after_blank_line)


def test_more_text_behind_the_date_separates_only_after_a_blank_line() -> None:
    line = b"From a@b.c Thu Jan  1 00:00:00 1970 and whatever else\n"
    assert separates(line, after_blank_line=True)
    assert not separates(line, after_blank_line=False)


def test_the_line_has_the_form_of_rfc_4155() -> None:
    assert make_from_line("a@b.c", 0) == b"From a@b.c Thu Jan  1 00:00:00 1970\n"


def test_white_space_in_the_sender_becomes_a_hyphen() -> None:
    # qmail.md 13.3
    assert make_from_line('a b"c@x.org', 1795487116) == b'From a-b"c@x.org Tue Nov 24 02:25:16 2026\n'


@pytest.mark.parametrize("sender", [None, ""])
def test_the_null_sender_is_called_mailer_daemon(sender: str | None) -> None:
    assert make_from_line(sender, 0).startswith(b"From MAILER-DAEMON Thu ")


@given(st.text(max_size=600), st.integers(0, 2**32))
def test_our_line_separates_whatever_the_sender(sender: str, seconds: int) -> None:
    line = make_from_line(sender, seconds)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert len(line) <= LINE_OCTETS_MAX
    assert separates(line, after_blank_line=False)


def test_octets_that_are_no_text_in_the_sender_are_kept() -> None:
    sender = b"\xff@b.c".decode("utf-8", "surrogateescape")
    assert make_from_line(sender, 0).startswith(b"From \xff@b.c ")
