from __future__ import annotations

import delivery.errors
from spool import errors
from tests.unit.docs.pages import CHECKOUT, section, table_rows
from tools import command, operation, spool_assign
from tools.spool_deliver import EXIT_CODES

PAGE = CHECKOUT / "docs/reference/exit-codes.md"


def test_the_statuses_of_spool_deliver_are_those_it_uses() -> None:
    rows = {row[0].split("`")[1]: row[1:] for row in table_rows(section(PAGE, "## `spool-deliver`")) if len(row) == 5}
    assert rows == {
        name: ["0", *(str(code) for code in (codes.no_user, codes.refused, codes.try_later))]
        for name, codes in EXIT_CODES.items()
    }


def test_the_statuses_of_the_other_programs_are_those_they_use() -> None:
    listed = [row[0] for row in table_rows(section(PAGE, "## `mailspool`, `spool-assign`"))]
    statuses = (
        *(command.EXIT_OK, command.EXIT_FAILED, command.EXIT_USAGE),
        *(spool_assign.EXIT_NOT_ASSIGNED, operation.EXIT_NEEDS_PERSON),
    )
    assert listed == [str(status) for status in statuses]


def test_the_statuses_of_spool_check_are_those_it_uses() -> None:
    listed = [row[0] for row in table_rows(section(PAGE, "## `spool-check`"))]
    statuses = (
        *(command.EXIT_OK, command.EXIT_FAILED, command.EXIT_USAGE),
        *(operation.EXIT_MENDED, operation.EXIT_NEEDS_PERSON, operation.EXIT_BUSY),
    )
    assert listed == [str(status) for status in statuses]


def test_the_statuses_of_spool_import_and_spool_convert_are_those_they_use() -> None:
    listed = [row[0] for row in table_rows(section(PAGE, "## `spool-import`, `spool-convert`"))]
    statuses = (
        *(command.EXIT_OK, command.EXIT_FAILED, command.EXIT_USAGE),
        *(operation.EXIT_NEEDS_PERSON, operation.EXIT_BUSY),
    )
    assert listed == [str(status) for status in statuses]


def test_the_statuses_of_spool_uidl_are_those_it_uses() -> None:
    listed = [row[0] for row in table_rows(section(PAGE, "## `spool-uidl`"))]
    statuses = (
        *(command.EXIT_OK, command.EXIT_FAILED, command.EXIT_USAGE),
        *(operation.EXIT_MENDED, operation.EXIT_NEEDS_PERSON, operation.EXIT_BUSY),
    )
    assert listed == [str(status) for status in statuses]


def test_the_statuses_of_quota_and_expiry_are_those_they_use() -> None:
    listed = [row[0] for row in table_rows(section(PAGE, "## `spool-quota`, `spool-expire`"))]
    statuses = (
        *(command.EXIT_OK, command.EXIT_FAILED, command.EXIT_USAGE),
        *(operation.EXIT_NEEDS_PERSON, operation.EXIT_BUSY),
    )
    assert listed == [str(status) for status in statuses]


def test_every_enhanced_code_of_the_spool_is_listed() -> None:
    text = PAGE.read_text("utf-8")
    for each in (*vars(errors).values(), *vars(delivery.errors).values()):
        if isinstance(each, type) and issubclass(each, errors.SpoolError):
            assert f"| {each.status} |" in text


def test_the_statuses_of_spool_rehash_are_those_it_uses() -> None:
    listed = [row[0] for row in table_rows(section(PAGE, "## `spool-rehash`"))]
    statuses = (
        *(command.EXIT_OK, command.EXIT_FAILED, command.EXIT_USAGE),
        *(operation.EXIT_NEEDS_PERSON, operation.EXIT_BUSY),
    )
    assert listed == [str(status) for status in statuses]
