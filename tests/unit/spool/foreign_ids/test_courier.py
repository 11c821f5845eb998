"""Tests of spool.foreign_ids.courier."""

from __future__ import annotations

from pathlib import Path

import pytest

from spool.errors import ForeignIdsError
from spool.foreign_ids.courier import CourierIds, parse_sizelist
from spool.foreign_ids.user_files import ListFile
from tests.unit.spool.foreign_ids.mailboxes import maildir, mbox

LISTS = {
    b"/3 9 17\n1.a:2, 17 1:17:0\n2.b,S=15:2,S 18 2:0:1\n3+c'\xe9 d 18 0:0:0\nbroken\n": {
        "1.a": "UID1-17",
        "2.b,S=15": "UID2",
        "3+c'\udce9 d": "3+2Bc+27+E9+20d",
    },
    b"/2 9 17\n1.a 17 1:17\n2.b 18 2:16\n": {"1.a": "UID1-17", "2.b": "UID2-16"},
    b"/1 9\n1.a 17 1\n": {"1.a": "UID1"},
    b"1.a:2,S 17\n2+b 18\n": {"1.a": "1.a", "2+b": "2+2Bb"},
    b"": {},
}


@pytest.mark.parametrize(("data", "ids"), LISTS.items())
def test_each_version_of_the_list_is_read(data: bytes, ids: dict[str, str]) -> None:
    assert parse_sizelist(ListFile(Path("list"), data)) == ids


@pytest.mark.parametrize("data", [b"/4 1 1\n", b"/x\n", b"/"])
def test_a_list_of_another_version_is_an_error(data: bytes) -> None:
    with pytest.raises(ForeignIdsError, match="of version 0 to 3"):
        parse_sizelist(ListFile(Path("list"), data))


def test_ids_are_those_of_the_list_in_the_maildir(tmp_path: Path) -> None:
    (tmp_path / "courierpop3dsizelist").write_bytes(b"/3 2 17\n1.a:2, 17 1:17:0\n")
    assert CourierIds(None)(maildir("1.a", "2.new", path=tmp_path)) == ["UID1-17", None]


def test_the_list_may_be_elsewhere() -> None:
    assert CourierIds(ListFile(Path("list"), b"/1 9\n1.a 17 1\n"))(maildir("1.a")) == ["UID1"]


def test_an_mbox_is_nothing_of_couriers() -> None:
    with pytest.raises(ForeignIdsError, match="Maildirs only"):
        CourierIds(None)(mbox())
