"""Tests of ``delivery.search``, with the names that qmail-local looks for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.search import candidates


@pytest.mark.parametrize(
    ("dash", "extension", "names"),
    [
        ("-", "", ["-", "-default"]),
        ("-", "a", ["-a", "-default"]),
        ("-", "a-b", ["-a-b", "-a-default", "-default"]),
        ("-", "a-b-", ["-a-b-", "-a-b-default", "-a-default", "-default"]),
        ("", "", ["", "default"]),
    ],
)
def test_files_are_looked_for_in_qmails_order(dash: str, extension: str, names: list[str]) -> None:
    assert [candidate.name for candidate in candidates(dash, extension)] == [f".qmail{name}" for name in names]


def test_the_extension_is_made_safe_and_default_keeps_it_as_it_was_written() -> None:
    found = list(candidates("-", "Foo.Bar-Baz-q-r"))
    assert found[0].name == ".qmail-foo:bar-baz-q-r"
    assert (found[-1].name, found[-1].default) == (".qmail-default", "Foo.Bar-Baz-q-r")


def test_an_address_that_ends_in_default_has_a_default() -> None:
    assert next(iter(candidates("-", "list-default"))).default == "list-default"


@given(st.text(max_size=30))
def test_no_name_climbs(extension: str) -> None:
    for candidate in candidates("-", extension):
        assert "." not in candidate.name[1:]
