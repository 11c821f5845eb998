from __future__ import annotations

from spool.checking.kinds import KINDS
from tests.unit.docs.pages import CHECKOUT, table_rows

PAGE = CHECKOUT / "docs/reference/findings.md"


def test_every_kind_of_finding_is_listed_as_the_program_explains_it() -> None:
    rows = list(table_rows(PAGE.read_text("utf-8")))
    assert rows == [[f"`{kind.name}`", kind.severity.value, kind.meaning, kind.repair] for kind in KINDS]
