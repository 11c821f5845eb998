from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.ordinary_user import free_ports
from tests.unit.docs.console import run_steps, steps_of
from tests.unit.docs.pages import CHECKOUT, name_of

PAGES = [
    CHECKOUT / "docs/tutorial/first-site.md",
    *(CHECKOUT / "docs/how-to" / page for page in ("convert.md", "from-qmail.md", "move-from-qpopper.md", "rehash.md")),
]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl, which the pages show")
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_commands_of_a_page_do_what_it_says(page: Path, tmp_path: Path) -> None:
    pop3, pop3s = free_ports(2)
    run_steps(steps_of(page), tmp_path, {"11110": str(pop3), "11995": str(pop3s)})
