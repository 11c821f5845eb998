"""Tests of ``mta.server.good_recipients``."""

from __future__ import annotations

from mta.server.good_recipients import GOOD_SECONDS, RECIPIENTS_MAX, GoodRecipients


def test_a_recipient_is_known_for_some_seconds_after_they_were_good() -> None:
    good = GoodRecipients()
    assert not good.knows("a@y", 0)
    good.note("a@y", 0)
    assert good.knows("a@y", GOOD_SECONDS - 0.1)
    assert not good.knows("a@y", GOOD_SECONDS)
    assert not good.knows("b@y", 0)


def test_a_recipient_with_whom_there_was_trouble_is_not_known() -> None:
    good = GoodRecipients()
    good.note("a@y", 0)
    good.forget("a@y")
    good.forget("b@y")
    assert not good.knows("a@y", 0)


def test_the_recipients_that_were_good_longest_ago_make_room() -> None:
    good = GoodRecipients()
    for number in range(RECIPIENTS_MAX):
        good.note(f"{number}@y", 0)
    good.note("0@y", 1)
    good.note("new@y", 1)
    assert [good.knows(f"{each}@y", 1) for each in (0, 1, 2, "new")] == [True, False, True, True]
