"""Tests of spool.foreign_ids.dovecot."""

from __future__ import annotations

from pathlib import Path

import pytest

from spool.errors import ForeignIdsError
from spool.foreign_ids.dovecot import DovecotIds, Listed, parse_uidlist
from spool.foreign_ids.dovecot_format import DEFAULT, UidlFormat
from spool.foreign_ids.user_files import ListFile
from tests.unit.spool.foreign_ids.mailboxes import maildir, mbox

LIST = b"""\
3 V1795518056 N8 G0f2a PUnknown
1 :1.a
2 W120 S118 :2.b,S=118
3 P :3.c
4 Pold:id O7 :4.d
5 Gguid-of-e :5.e:2,S
x :6.f
6 broken
"""


def parse(data: bytes) -> tuple[str, dict[str, Listed]]:
    validity, listed = parse_uidlist(ListFile(Path("dovecot-uidlist"), data))
    return validity, dict(listed)


def test_a_list_tells_uid_override_and_guid() -> None:
    assert parse(LIST) == (
        "1795518056",
        {
            "1.a": Listed("1", None, None),
            "2.b,S=118": Listed("2", None, None),
            "3.c": Listed("3", "3.c", None),
            "4.d": Listed("4", "old:id", None),
            "5.e": Listed("5", None, "guid-of-e"),
        },
    )


def test_a_list_of_version_1_tells_uids() -> None:
    assert parse(b"1 1795518056 3\n1 1.a\n2 2.b:2,S\n") == (
        "1795518056",
        {"1.a": Listed("1", None, None), "2.b": Listed("2", None, None)},
    )


@pytest.mark.parametrize("data", [b"", b"2 V1 N1\n", b"3 N1\n", b"3 V1 N1", b"3 V12345678901 N1\n", b"1 x 3\n"])
def test_what_is_no_list_is_an_error(data: bytes) -> None:
    with pytest.raises(ForeignIdsError, match="not a dovecot-uidlist"):
        parse(data)


def test_ids_are_made_by_the_format_unless_the_list_has_them(tmp_path: Path) -> None:
    (tmp_path / "dovecot-uidlist").write_bytes(LIST)
    mailbox = maildir("1.a", "2.b,S=118", "3.c", "4.d", "9.new", path=tmp_path)
    assert DovecotIds(UidlFormat("%u-%f"), None)(mailbox) == ["1-1.a", "2-2.b,S=118", "3.c", "old:id", None]


def test_a_guid_is_the_name_unless_the_list_has_another(tmp_path: Path) -> None:
    given = ListFile(tmp_path / "elsewhere", LIST)
    assert DovecotIds(UidlFormat("%g"), given)(maildir("1.a", "5.e", path=tmp_path)) == ["1.a", "guid-of-e"]


def test_a_maildir_without_list_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ForeignIdsError, match="dovecot-uidlist: No such file"):
        DovecotIds(UidlFormat(DEFAULT), None)(maildir("1.a", path=tmp_path))


def test_an_mboxs_ids_are_made_of_its_fields() -> None:
    mailbox = mbox(b"X-IMAPbase: 5 9\nX-UID: 7\n", b"Subject: new\n")
    assert DovecotIds(UidlFormat(DEFAULT), None)(mailbox) == ["0000000700000005", None]


def test_an_mboxs_ids_may_be_digests() -> None:
    header = b"Received: a\n b\nSubject: y\nDate: k\n"
    assert DovecotIds(UidlFormat("%m"), None)(mbox(header, None)) == ["0cc9cd4dd26c5137b675a0d819cb9ab0", None]
