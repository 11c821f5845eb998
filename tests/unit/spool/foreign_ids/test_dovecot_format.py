"""Tests of spool.foreign_ids.dovecot_format."""

from __future__ import annotations

import hashlib

import pytest

from spool.errors import ForeignIdsError
from spool.foreign_ids.dovecot_format import DEFAULT, FORMAT_CHARACTERS_MAX, Facts, UidlFormat

FACTS = Facts(uid="26", uidvalidity="1795518056", filename="1.Ab", guid="f00d", md5="0cc9")
MD5_OF_NAME = hashlib.md5(b"1.Ab", usedforsecurity=False).hexdigest()
SHOWN = {
    DEFAULT: "0000001a6b056e68",
    "%08Xv%08Xu": "6b056e680000001a",
    "%v.%u": "1795518056.26",
    "%u": "26",
    "%Xv%Xu": "6b056e681a",
    "%f": "1.Ab",
    "%g": "f00d",
    "%m": "0cc9",
    "%Mf": MD5_OF_NAME,
    "%Lf": "1.ab",
    "%Uf": "1.AB",
    "%2v": "17",
    "100%%-%u": "100%-26",
    "%{uid}": "26",
    "%08X{uid}": "0000001a",
    "%{uid | hex(8)}%{uidvalidity | hex(8)}": "0000001a6b056e68",
    "%{uidvalidity|hex}-%{uid|hex}": "6b056e68-1a",
    "%{filename | lower}": "1.ab",
    "%{filename | md5 | hexlify | upper}": MD5_OF_NAME.upper(),
}


@pytest.mark.parametrize(("text", "unique_id"), SHOWN.items())
def test_formats_show_what_dovecot_shows(text: str, unique_id: str) -> None:
    assert UidlFormat(text).show(FACTS) == unique_id


def test_a_fact_that_is_not_known_leaves_no_id() -> None:
    assert UidlFormat("%v.%u").show(Facts(uid="1")) is None


def test_what_is_no_number_stays_as_it_is_in_hexadecimal() -> None:
    assert UidlFormat("%Xg").show(FACTS) == "f00d"


def test_a_format_tells_its_variables() -> None:
    assert UidlFormat("%u-%{md5}").variables == {"uid", "md5"}


@pytest.mark.parametrize(
    "text",
    ["%", "%q", "%08Zu", "%{nothing}", "%{uid | sha1}", "%{uid | hex(8}", "% u", "a" * (FORMAT_CHARACTERS_MAX + 1)],
)
def test_what_is_not_understood_is_an_error(text: str) -> None:
    with pytest.raises(ForeignIdsError, match="format"):
        UidlFormat(text)
