from __future__ import annotations

from spool.layouts import LAYOUTS
from spool.names import UserName
from tests.unit.docs.pages import CHECKOUT, section

PAGE = CHECKOUT / "docs/reference/layouts.md"


def test_the_vectors_are_what_the_layouts_say() -> None:
    lines = [line for line in section(PAGE, "## Vectors").splitlines() if line.startswith("| ")]
    head, *rows = ([cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines)
    assert set(head[1:]) == set(LAYOUTS)
    assert len(rows) >= 8
    for user, *directories in rows:
        for name, directory in zip(head[1:], directories, strict=True):
            assert LAYOUTS[name].directory(UserName(user)) == directory.replace("\N{EN DASH}", "")


def test_every_layout_is_described() -> None:
    text = PAGE.read_text("utf-8").partition("## Vectors")[0]
    for name in LAYOUTS:
        assert f"| `{name}`" in text
