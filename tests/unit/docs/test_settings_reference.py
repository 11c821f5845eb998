from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

import pytest

from serving.settings import ListenerSettings
from spool.settings_file import _kind, _toml, _types
from tests.unit.docs.pages import CHECKOUT, section, table_rows
from tools.site_settings import SECTIONS

PAGE = CHECKOUT / "docs/reference/settings.md"
MAN_PAGE = CHECKOUT / "docs/reference/man/mailspool.toml.5"
TABLES = [(f"## `[{name}]`", cls) for name, cls in SECTIONS.items()] + [("## `[[listener]]`", ListenerSettings)]


def default_of(field: Any) -> str:
    if field.default is MISSING:
        return "required"
    return "\N{EN DASH}" if field.default is None else f"`{_toml(field.default)}`"


@pytest.mark.parametrize(("heading", "settings"), TABLES)
def test_every_key_is_listed_with_its_type_and_default(heading: str, settings: type) -> None:
    listed = [(key, kind, default) for key, kind, default, _ in table_rows(section(PAGE, heading))]
    types = _types(settings)
    assert listed == [
        (f"`{field.name}`", _kind(types[field.name]).expected, default_of(field)) for field in fields(settings)
    ]


def test_every_key_is_said_to_mean_something() -> None:
    for heading, _ in TABLES:
        assert all(len(meaning) > 5 for *_, meaning in table_rows(section(PAGE, heading)))


def test_the_man_page_lists_every_key() -> None:
    words = MAN_PAGE.read_text("utf-8").replace(",", " ").split()
    for _, settings in TABLES:
        assert {field.name for field in fields(settings)} <= set(words)
