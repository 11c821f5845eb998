"""Pages that say which tests show something name tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.docs.pages import CHECKOUT, PAGES, name_of, named_tests

RFC_INDEX = CHECKOUT / "docs/rfc-index.md"
SECURITY = CHECKOUT / "docs/reference/security-tests.md"


@pytest.mark.parametrize("page", [page for page in PAGES if named_tests(page)], ids=name_of)
def test_tests_that_a_page_names_exist(page: Path) -> None:
    for name in named_tests(page):
        file, _, function = name.partition("::")
        path = CHECKOUT / file
        if "*" in file:
            assert list(CHECKOUT.glob(file)), f"{name}: no such files"
            continue
        assert path.exists(), f"{name}: no such file"
        if function:
            assert re.search(rf"^\s*(?:async )?def {function}\(", path.read_text("utf-8"), re.MULTILINE), (
                f"{name}: no such test"
            )


def test_every_rfc_in_the_index_names_a_test() -> None:
    rows = [line for line in RFC_INDEX.read_text("utf-8").splitlines() if re.match(r"\| \d", line)]
    assert len(rows) > 15
    assert [row for row in rows if "`tests/" not in row] == []


def test_every_class_of_vulnerabilities_names_a_test() -> None:
    for part in SECURITY.read_text("utf-8").split("\n## ")[1:]:
        assert "`tests/" in part, part.partition("\n")[0]
