"""Tests of ``spool.directory_sources.ldif``."""

from __future__ import annotations

import io

import pytest

from spool.directory_sources.accounts import Account, Skipped, SkipReason
from spool.directory_sources.ldif import LdifAttributes, read_ldif
from spool.errors import SettingsError
from spool.names import DomainName

ANN = b"uidNumber: 1001\ngidNumber: 100\nhomeDirectory: /home/ann\n"


def read(text: bytes, attributes: LdifAttributes = LdifAttributes()) -> list[Account | Skipped]:  # noqa: B008
    return list(read_ldif(io.BytesIO(text), attributes, file="users.ldif"))


def test_entries_are_accounts() -> None:
    text = (
        b"version: 1\n\n# the people\ndn: uid=ann,dc=example\nobjectClass: posixAccount\nuid: ann\n" + ANN + b"\n\n"
        b"dn: uid=bob,dc=example\r\nUID: bob\r\nuidnumber: 1002\r\ngidNumber: 100\r\nhomeDirectory: /home/bob\r\n"
    )
    assert read(text) == [
        Account(4, b"ann", b"1001", b"100", b"/home/ann"),
        Account(12, b"bob", b"1002", b"100", b"/home/bob"),
    ]


def test_a_folded_line_is_put_together() -> None:
    assert read(b"dn: uid=ann\nuid: a\n n\n n\n# a remark\n  of two lines\n" + ANN) == [
        Account(1, b"ann", b"1001", b"100", b"/home/ann")
    ]


def test_base64_values_are_decoded() -> None:
    assert read(b"uid:: YW5u\nuidNumber:: MTAwMQ==\ngidNumber:100\nhomeDirectory:: L2hvbWUvYW5u\n") == [
        Account(1, b"ann", b"1001", b"100", b"/home/ann")
    ]


def test_entries_without_a_name_are_none() -> None:
    assert read(b"dn: ou=people\nou: people\n\n" + ANN + b"\nsearch: 2\nresult: 0 Success\n") == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"uid: ann\ngidNumber: 100\nhomeDirectory: /a\n", SkipReason.FIELDS),
        (b"uid: ann\nuidNumber:< file:///uid\ngidNumber: 100\nhomeDirectory: /a\n", SkipReason.FIELDS),
        (b"uid:: YQBi\n" + ANN, SkipReason.NUL),
        (b"uid: Ann\n" + ANN, SkipReason.UPPER_CASE),
    ],
)
def test_what_is_no_account_is_skipped(text: bytes, reason: SkipReason) -> None:
    assert [each.reason for each in read(text) if isinstance(each, Skipped)] == [reason]


def test_of_several_values_the_first_counts() -> None:
    assert read(b"uid: ann\nuid: anna\n" + ANN) == [Account(1, b"ann", b"1001", b"100", b"/home/ann")]


def test_other_attributes_can_be_named() -> None:
    attributes = LdifAttributes(name="mail", uid=None, gid=None, home=None, domain="associatedDomain")
    text = b"mail: ann@example.org\nmail: anna@example.org\nassociatedDomain: example.net\n\nmail: bob\n"
    assert read(text, attributes) == [
        Account(1, b"ann", None, None, None, (DomainName("example.org"),)),
        Account(1, b"ann", None, None, None, (DomainName("example.net"),)),
        Account(5, b"bob", None, None, None),
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"dn: uid=ann\nuid\n", "line 2: expected attribute: value, found no colon"),
        (b"dn: uid=ann\nchangetype: delete\n", "line 2: expected entries, found changes"),
        (b"dn: uid=ann\nuid:: !\n", "line 2: "),
    ],
)
def test_what_is_no_export_is_an_error_that_names_the_line(text: bytes, complaint: str) -> None:
    with pytest.raises(SettingsError, match=rf"^users.ldif: {complaint}"):
        read(text)


def test_entries_to_be_added_are_entries() -> None:
    assert len(read(b"changetype: add\nuid: ann\n" + ANN)) == 1


@pytest.mark.parametrize("text", [b"", b"\n\n", b"dn: ou=people\n\n"])
def test_an_export_may_hold_nobody(text: bytes) -> None:
    assert read(text) == []
