"""Tests of spool.foreign_ids.listed."""

from __future__ import annotations

from pathlib import Path

import pytest

from spool.errors import ForeignIdsError
from spool.foreign_ids.listed import ListedIds
from spool.foreign_ids.old_mailbox import FoundIds, OldMailbox
from spool.foreign_ids.user_files import ListFile
from tests.unit.spool.foreign_ids.mailboxes import maildir

MAILBOX = maildir("1.a", "2.b", "3.c", "4.d", sizes=[100, 200, 300, 300])


def find(data: bytes, mailbox: OldMailbox = MAILBOX) -> FoundIds:
    return ListedIds(ListFile(Path("ids"), data))(mailbox)


def test_ids_alone_are_those_of_all_messages_in_order() -> None:
    assert find(b"# old server\na\n\nb\nc\nd\n") == ["a", "b", "c", "d"]


def test_ids_alone_must_be_as_many_as_messages() -> None:
    with pytest.raises(ForeignIdsError, match="3 ids without sizes or names for 4 messages"):
        find(b"a\nb\nc\n")


def test_ids_are_found_by_name() -> None:
    assert find(b"3.c:2,S c\n1.a a\n9.gone x\n") == ["a", None, "c", None]


def test_ids_are_found_by_size_where_it_is_certain() -> None:
    assert find(b"100 a\n150 gone\n300 c\n300 d\n") == ["a", None, "c", "d"]


def test_one_of_several_messages_of_a_size_is_not_certain() -> None:
    assert find(b"100 a\n300 c\n") == ["a", None, None, None]


def test_a_new_message_does_not_get_the_id_of_one_of_its_size_that_is_gone() -> None:
    mailbox = maildir("1.a", "2.b", "3.new", sizes=[100, 200, 999])
    assert find(b"999 gone\n100 a\n200 b\n", mailbox)[2] is None


def test_what_spool_uidl_list_prints_is_a_list() -> None:
    assert find(b"1 100 a\n2 200 b\n3 300 c\n4 300 d\n") == ["a", "b", "c", "d"]


def test_an_empty_list_tells_nothing() -> None:
    assert find(b"\n") == [None] * 4


@pytest.mark.parametrize("data", [b"a\n1 b\n", b"1 2 3 4\n", b"1 x a\n", b"1 %b a\n" % (b"9" * 19)])
def test_lines_of_other_forms_are_an_error(data: bytes) -> None:
    with pytest.raises(ForeignIdsError, match="ids:"):
        find(data)
