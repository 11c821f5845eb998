"""Tests of ``spool.directory_sources.accounts``."""

from __future__ import annotations

import pytest

from spool.directory_sources.accounts import Account, Skipped, SkipReason, account, accounts_of, octets, text
from spool.names import DomainName


def test_what_is_right_is_an_account() -> None:
    assert account(3, b"ann", b"1001", b"100", b"/home/ann", b"Example.ORG") == Account(
        3, b"ann", b"1001", b"100", b"/home/ann", (DomainName("example.org"),)
    )


def test_what_the_source_does_not_say_is_none() -> None:
    assert account(1, b"ann", None, None, None) == Account(1, b"ann", None, None, None)


def test_numbers_and_paths_are_put_into_plain_form() -> None:
    assert account(1, b"ann", b"0507", b"00", b"/home//ann/") == Account(1, b"ann", b"507", b"0", b"/home/ann")


@pytest.mark.parametrize(
    ("name", "uid", "gid", "home", "domain", "reason"),
    [
        (b"Ann", b"1", b"1", b"/a", b"", SkipReason.UPPER_CASE),
        (b"ann$", b"1", b"1", b"/a", b"", SkipReason.NAME),
        (b"", b"1", b"1", b"/a", b"", SkipReason.NAME),
        (b"\xff", b"1", b"1", b"/a", b"", SkipReason.NAME),
        (b"ann", b"0", b"1", b"/a", b"", SkipReason.ROOT),
        (b"ann", b"x", b"1", b"/a", b"", SkipReason.ID),
        (b"ann", b"", b"1", b"/a", b"", SkipReason.ID),
        (b"ann", b"1", b"-1", b"/a", b"", SkipReason.ID),
        (b"ann", b"4294967295", b"1", b"/a", b"", SkipReason.ID),
        (b"ann", b"1" * 5000, b"1", b"/a", b"", SkipReason.ID),
        (b"ann", b"1", b"1", b"a", b"", SkipReason.HOME),
        (b"ann", b"1", b"1", b"", b"", SkipReason.HOME),
        (b"ann", b"1", b"1", b"/", b"", SkipReason.HOME),
        (b"ann", b"1", b"1", b"//", b"", SkipReason.HOME),
        (b"ann", b"1", b"1", b"/a/../b", b"", SkipReason.HOME),
        (b"ann", b"1", b"1", b"/a:b", b"", SkipReason.HOME),
        (b"ann", b"1", b"1", b"/a\nb", b"", SkipReason.HOME),
        (b"ann", b"1", b"1", b"/a", b"-", SkipReason.DOMAIN),
    ],
)
def test_what_is_wrong_is_skipped_for_a_reason(
    name: bytes, uid: bytes, gid: bytes, home: bytes, domain: bytes, reason: SkipReason
) -> None:
    found = account(7, name, uid, gid, home, domain)
    assert found == Skipped(7, text(name), reason)


def test_a_long_name_is_shown_cut() -> None:
    found = account(1, b"A" * 1000, None, None, None)
    assert isinstance(found, Skipped)
    assert len(found.name) == 80


def test_checked_rows_are_accounts() -> None:
    assert list(accounts_of([(1, b"ann", b"2", b"3", b"/a", ())])) == [Account(1, b"ann", b"2", b"3", b"/a")]


def test_octets_that_are_not_utf8_survive() -> None:
    assert octets(text(b"/home/\xff")) == b"/home/\xff"
