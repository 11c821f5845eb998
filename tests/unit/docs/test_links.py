from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.docs.pages import CHECKOUT, PAGES, anchors, links, name_of


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        if fragment:
            assert fragment in anchors(target), f"{link}: no such heading"


def test_every_page_is_reached_from_the_index() -> None:
    index = CHECKOUT / "docs" / "index.md"
    reached = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    pages = {*CHECKOUT.glob("docs/**/*.md"), *CHECKOUT.glob("docs/reference/man/*.[0-9]")} - {index}
    assert sorted(name_of(page) for page in pages - reached) == []
