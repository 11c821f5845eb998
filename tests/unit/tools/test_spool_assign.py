"""Tests of tools.spool_assign."""

from __future__ import annotations

import json

import pytest

from tests.unit.tools.conftest import MadeSite

ASSIGN = "=fred:fred:1001:1001:/mail/fred:::\n+fred-:fred:1001:1001:/mail/fred:-::\n.\n"


@pytest.fixture
def assigned(site: MadeSite) -> MadeSite:
    (site.control / "assign").write_text(ASSIGN)
    assert site.assign("compile").status == 0
    return site


def test_text_is_compiled(site: MadeSite) -> None:
    (site.control / "assign").write_text(ASSIGN)
    before = (site.control / "assign.cdb").read_bytes()
    assert site.assign("compile", "--dry-run").out == "2 assignments\n"
    assert (site.control / "assign.cdb").read_bytes() == before
    assert site.assign("compile").out == "2 assignments\n"
    assert (site.control / "assign.cdb").read_bytes() != before


def test_the_database_is_printed_as_text(assigned: MadeSite) -> None:
    assert assigned.assign("dump").out == ASSIGN


def test_an_exact_assignment_is_found(assigned: MadeSite) -> None:
    found = assigned.assign("lookup", "FRED", "--json")
    assert json.loads(found.out) == {
        "user": "fred",
        "uid": 1001,
        "gid": 1001,
        "home": "/mail/fred",
        "dash": "",
        "extension": "",
        "wildcard": None,
    }


def test_a_wildcard_is_found(assigned: MadeSite) -> None:
    out = assigned.assign("lookup", "fred-List").out
    assert "wildcard: fred-\n" in out
    assert "extension: List\n" in out


def test_a_name_that_is_not_assigned_is_status_3(assigned: MadeSite) -> None:
    missing = assigned.assign("lookup", "jane")
    assert (missing.status, missing.out) == (3, "")
    assert missing.err == "spool-assign: no assignment of 'jane'\n"


@pytest.mark.parametrize("action", ["lookup", "dump"])
@pytest.mark.parametrize("octets", [None, b"torn"])
def test_a_database_that_cannot_be_read_is_status_1(assigned: MadeSite, action: str, octets: bytes | None) -> None:
    database = assigned.control / "assign.cdb"
    database.unlink()
    if octets is not None:
        database.write_bytes(octets)
    failed = assigned.assign(action, *(["fred"] if action == "lookup" else []))
    assert (failed.status, failed.out) == (1, "")
    assert failed.err.startswith(f"spool-assign: {database}: ")
    assert failed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("=fred:fred:1001:1001:/mail/fred:::\n", "assign: "),
        ("=fred:fred:many:1001:/mail/fred:::\n.\n", "line 1"),
        ("=fred:fred:1001\n.\n", "line 1"),
    ],
)
def test_a_wrong_text_names_its_line_and_leaves_the_database(assigned: MadeSite, text: str, problem: str) -> None:
    before = (assigned.control / "assign.cdb").read_bytes()
    (assigned.control / "assign").write_text(text)
    failed = assigned.assign("compile")
    assert failed.status == 1
    assert failed.err.startswith(f"spool-assign: {assigned.control}/assign")
    assert problem in failed.err
    assert (assigned.control / "assign.cdb").read_bytes() == before


@pytest.mark.parametrize("words", [(), ("lookup",), ("explain", "fred")])
def test_a_usage_error_is_status_2(site: MadeSite, words: tuple[str, ...]) -> None:
    assert site.runner("spool-assign", *words).status == 2
