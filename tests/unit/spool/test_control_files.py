"""Tests of ``spool.control_files``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from spool.control_files import Domains, ListFile, Locals, entries, with_memberships
from spool.errors import MalformedNameError, SettingsError
from spool.names import DomainName, UserName

ANN, BOB = UserName("ann"), UserName("bob")
ORG, NET = DomainName("example.org"), DomainName("example.net")


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_comments_empty_lines_and_white_space_at_the_end_are_no_entries() -> None:
    assert list(entries("a \t\r\n\n  \n#b\n #c\nd")) == [(1, "a"), (5, " #c"), (6, "d")]


def test_local_domains_are_known_in_any_case(tmp_path: Path) -> None:
    local = Locals(write(tmp_path / "locals", "# ours\nExample.ORG\n"))
    assert local.contains(ORG)
    assert not local.contains(NET)
    assert local.all() == {ORG}


def test_a_local_domain_is_found_by_its_name_in_any_case(tmp_path: Path) -> None:
    assert Locals(write(tmp_path / "locals", "example.org\n")).named("Example.ORG") == ORG


def test_a_name_that_is_no_local_domain_is_an_error_that_says_so(tmp_path: Path) -> None:
    local = Locals(write(tmp_path / "locals", "example.org\n"))
    with pytest.raises(SettingsError, match=r"^example.net: is not in .*/locals$"):
        local.named("example.net")
    with pytest.raises(MalformedNameError):
        local.named("")


def test_an_empty_file_of_local_domains_has_none(tmp_path: Path) -> None:
    assert Locals(write(tmp_path / "locals", "")).all() == frozenset()


def test_a_missing_file_of_local_domains_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="locals: no such file"):
        Locals(tmp_path / "locals").all()


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "locals").mkdir()
    with pytest.raises(SettingsError, match="locals: Is a directory"):
        Locals(tmp_path / "locals").all()


@pytest.mark.parametrize("text", ["a b", " example.org", "joe@example.org", "_x"])
def test_a_wrong_domain_is_named_with_its_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match="locals: line 2: expected a domain, found"):
        Locals(write(tmp_path / "locals", f"example.org\n{text}\n")).all()


def test_a_character_that_is_not_ascii_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="locals: line 3: expected ASCII"):
        Locals(write(tmp_path / "locals", "a\nb\nbücher.example\n")).all()


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    local = Locals(write(tmp_path / "locals", "example.org\n"))
    assert local.contains(ORG)
    write(tmp_path / "new", "example.net\n").rename(tmp_path / "locals")
    assert local.all() == {NET}


def test_an_unchanged_file_is_parsed_once(tmp_path: Path) -> None:
    parsed: list[list[tuple[int, str]]] = []

    def parse(lines: Iterable[tuple[int, str]]) -> int:
        parsed.append(list(lines))
        return len(parsed)

    file = ListFile(write(tmp_path / "list", "a\n"), parse)
    assert [file.content(), file.content()] == [1, 1]
    assert parsed == [[(1, "a")]]


def test_a_file_changed_in_place_is_noticed_by_its_time(tmp_path: Path) -> None:
    local = Locals(write(tmp_path / "locals", "example.org\n"))
    assert local.all() == {ORG}
    write(tmp_path / "locals", "example.net\n")
    os.utime(tmp_path / "locals", ns=(1, 1))
    assert local.all() == {NET}


def test_a_user_with_lines_belongs_to_those_domains_only(tmp_path: Path) -> None:
    domains = Domains(write(tmp_path / "domains", "Ann:Example.org\nbob:example.net\nann:a.example\n"))
    assert domains.of(ANN) == frozenset({ORG, DomainName("a.example")})
    assert domains.belongs(ANN, ORG)
    assert not domains.belongs(ANN, NET)


def test_a_user_without_a_line_belongs_to_all_domains(tmp_path: Path) -> None:
    domains = Domains(write(tmp_path / "domains", "bob:example.net\n"))
    assert domains.of(ANN) is None
    assert domains.belongs(ANN, ORG)


def test_without_the_file_all_belong_to_all_domains(tmp_path: Path) -> None:
    assert Domains(tmp_path / "domains").belongs(ANN, ORG)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ann", "user:domain"), ("-:example.org", "a user name"), ("ann:", "a domain"), ("ann:x:y", "a domain")],
)
def test_a_wrong_line_of_domains_is_named(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(SettingsError, match=f"domains: line 1: expected {expected}, found"):
        Domains(write(tmp_path / "domains", f"{text}\n")).of(ANN)


def test_memberships_of_one_user_are_replaced_and_other_lines_stay() -> None:
    text = "# who\nAnn:old.example\nbob:example.net\n"
    assert with_memberships(text, {ANN: [ORG, NET]}) == "# who\nbob:example.net\nann:example.net\nann:example.org\n"


def test_memberships_can_be_taken_out() -> None:
    assert with_memberships("ann:example.org\n", {ANN: []}) == ""
    assert with_memberships("", {BOB: []}) == ""
