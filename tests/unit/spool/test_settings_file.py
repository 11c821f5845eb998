"""Tests of ``spool.settings_file``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.errors import SettingsError
from spool.settings import SpoolSettings
from spool.settings_file import (
    Override,
    array_to,
    check_sections,
    format_toml,
    parse_override,
    read_settings_file,
    table_to,
    with_override,
)

FILE = Path("/site/mailspool.toml")


@dataclass(frozen=True, slots=True)
class Sample:
    name: str
    place: Path = Path("/x")
    count: int = 1
    seconds: float = 1.0
    on: bool = False
    mode: Literal["never", "always"] = "never"
    names: tuple[str, ...] = ()
    modes: tuple[Literal["a", "b"], ...] = ("a",)
    certificate: Path | None = None
    limit: int | None = None
    ports: tuple[int, ...] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError(f"count: expected at least 0, found {self.count}")


def sample(**table: object) -> Sample:
    return table_to(Sample, {"name": "n", **table}, file=FILE, section="sample")


def test_a_missing_key_has_its_default() -> None:
    assert sample() == Sample("n")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("place", "/a/b", Path("/a/b")),
        ("place", "tls/key.pem", Path("/site/tls/key.pem")),
        ("count", 7, 7),
        ("seconds", 7, 7.0),
        ("seconds", 0.5, 0.5),
        ("on", True, True),
        ("mode", "always", "always"),
        ("names", ["a", "b"], ("a", "b")),
        ("names", [], ()),
        ("modes", ["b"], ("b",)),
        ("certificate", "c.pem", Path("/site/c.pem")),
        ("limit", 3, 3),
        ("ports", [1, 2], (1, 2)),
    ],
)
def test_a_value_of_its_keys_type_is_taken(key: str, value: object, expected: object) -> None:
    assert getattr(sample(**{key: value}), key) == expected


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("name", 1, "expected text, found 1"),
        ("place", 1, "expected a path, found 1"),
        ("place", "", "expected a path, found ''"),
        ("place", "a\0b", "expected a path"),
        ("count", "1", "expected a whole number, found '1'"),
        ("count", 1.5, "expected a whole number, found 1.5"),
        ("count", True, "expected a whole number, found True"),
        ("seconds", "1", "expected a number, found '1'"),
        ("seconds", True, "expected a number, found True"),
        ("seconds", float("nan"), "expected a number, found nan"),
        ("seconds", float("inf"), "expected a number, found inf"),
        ("on", 1, "expected true or false, found 1"),
        ("mode", "sometimes", 'expected "never" or "always", found \'sometimes\''),
        ("mode", [], 'expected "never" or "always"'),
        ("names", "a", "expected a list, each member text, found 'a'"),
        ("names", [1], r"expected text, found \[1\]"),
        ("modes", ["c"], 'expected "a" or "b", found'),
        ("limit", "x", "expected a whole number, found 'x'"),
        ("name", {"a": 1}, "expected text, found {'a': 1}"),
    ],
)
def test_a_value_of_another_type_is_named_with_file_section_and_key(key: str, value: object, complaint: str) -> None:
    with pytest.raises(SettingsError, match=rf"^/site/mailspool\.toml: sample\.{key}: {complaint}"):
        sample(**{key: value})


def test_an_unknown_key_is_answered_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"sample\.nmae: unknown key; \[sample\] has name, place"):
        sample(nmae="n")


def test_a_missing_key_without_default_is_named() -> None:
    with pytest.raises(SettingsError, match=r"sample\.name: expected text, found nothing"):
        table_to(Sample, {}, file=FILE, section="sample")


def test_a_value_out_of_its_range_is_named_with_file_and_section() -> None:
    with pytest.raises(SettingsError, match=r"^/site/mailspool\.toml: sample\.count: expected at least 0, found -1"):
        sample(count=-1)


def test_a_long_wrong_value_is_shown_cut() -> None:
    with pytest.raises(SettingsError) as caught:
        sample(count="x" * 10_000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("table", [1, "x", [{}]])
def test_what_is_no_table_is_refused(table: object) -> None:
    with pytest.raises(SettingsError, match="sample: expected a table, found"):
        table_to(Sample, table, file=FILE, section="sample")


def test_tables_of_an_array_are_counted_from_1_in_errors() -> None:
    assert array_to(Sample, [{"name": "a"}, {"name": "b"}], file=FILE, section="s") == (Sample("a"), Sample("b"))
    with pytest.raises(SettingsError, match=r"s\[2\]\.name: expected text, found 1"):
        array_to(Sample, [{"name": "a"}, {"name": 1}], file=FILE, section="s")


def test_what_is_no_array_of_tables_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"s: expected tables \[\[s\]\], found {}"):
        array_to(Sample, {}, file=FILE, section="s")


def test_a_file_is_read_into_its_tables(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("[a]\nx = 1\n[[b]]\n")
    assert read_settings_file(tmp_path / "f") == {"a": {"x": 1}, "b": [{}]}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="f: No such file"):
        read_settings_file(tmp_path / "f")


@pytest.mark.parametrize("octets", [b"[a", b"x = ", b"\xff"])
def test_what_is_not_toml_is_named_with_its_file(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "f").write_bytes(octets)
    with pytest.raises(SettingsError, match="/f: "):
        read_settings_file(tmp_path / "f")


def test_an_unknown_section_is_answered_with_the_known_ones() -> None:
    check_sections({"spool": {}}, ["spool", "log"], file=FILE)
    with pytest.raises(SettingsError, match=r"unknown section \[spol\]; there are spool, log"):
        check_sections({"spol": {}}, ["spool", "log"], file=FILE)


def test_the_settings_of_the_spool_are_read() -> None:
    table = {"root": "mail", "layout": "hex2", "mbox_locks": ["flock"], "home_link": "/home/{user}"}
    settings = table_to(SpoolSettings, table, file=FILE, section="spool")
    assert settings == SpoolSettings(Path("/site/mail"), layout="hex2", mbox_locks=("flock",), home_link="/home/{user}")


CLASSES = {"sample": Sample, "spool": SpoolSettings}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("name=a = b", "a = b"),
        ("name=", ""),
        ("place=/a", "/a"),
        ("count=-5", -5),
        ("seconds=2", 2.0),
        ("seconds=0.25", 0.25),
        ("on=true", True),
        ("on=false", False),
        ("mode=always", "always"),
        ("names=a, b,c", ["a", "b", "c"]),
        ("names=", []),
        ("ports=1,2", [1, 2]),
        ("limit=", None),
        ("limit=4", 4),
        ("certificate=c.pem", "c.pem"),
    ],
)
def test_an_override_is_read_by_its_keys_type(text: str, value: Any) -> None:
    key = text.partition("=")[0]
    assert parse_override(f"sample.{text}", CLASSES) == Override("sample", key, value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected SECTION.KEY=VALUE, found ''"),
        ("name=x", "expected SECTION.KEY=VALUE"),
        ("sample.name", "expected SECTION.KEY=VALUE"),
        ("smaple.name=x", "unknown section 'smaple'; there are sample, spool"),
        ("sample.nmae=x", r"sample\.nmae: unknown key; \[sample\] has name"),
        ("sample.count=x", r"sample\.count: expected a whole number, found 'x'"),
        ("sample.count=1_0", r"sample\.count: expected a whole number"),
        ("sample.seconds=nan", r"sample\.seconds: expected a number, found 'nan'"),
        ("sample.on=yes", r"sample\.on: expected true or false, found 'yes'"),
        ("sample.ports=1,x", r"sample\.ports: expected a whole number"),
    ],
)
def test_a_wrong_override_is_explained(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=f"^{complaint}"):
        parse_override(text, CLASSES)


def test_an_override_replaces_one_value_and_leaves_the_tables_it_was_given() -> None:
    tables = {"sample": {"name": "a", "count": 1}}
    assert with_override(tables, Override("sample", "count", 2)) == {"sample": {"name": "a", "count": 2}}
    assert with_override(tables, Override("sample", "count", None)) == {"sample": {"name": "a"}}
    assert with_override(tables, Override("log", "level", "info")) == {**tables, "log": {"level": "info"}}
    assert tables == {"sample": {"name": "a", "count": 1}}


def test_an_override_of_what_is_no_table_is_refused() -> None:
    with pytest.raises(SettingsError, match="sample: expected a table, found 'x'"):
        with_override({"sample": "x"}, Override("sample", "count", 2))


def test_tables_are_written_with_their_comments() -> None:
    text = format_toml(
        {"spool": {"root": "/m", "names": ["a", "b"]}, "listener": [{"port": 1}, {"on": True, "s": 0.5}]},
        {"spool": "Where mail lies.\n\nAll of it.", "spool.root": "The top.", "listener": "One each."},
    )
    assert text == (
        "# Where mail lies.\n#\n# All of it.\n[spool]\n# The top.\n"
        'root = "/m"\nnames = ["a", "b"]\n\n'
        "# One each.\n[[listener]]\nport = 1\n\n[[listener]]\non = true\ns = 0.5\n"
    )


VALUES = st.one_of(st.text(max_size=20), st.integers(-(2**62), 2**62), st.floats(allow_nan=False), st.booleans())
TABLES = st.dictionaries(st.text(max_size=5), st.one_of(VALUES, st.lists(VALUES, max_size=3)), max_size=4)


@given(st.dictionaries(st.text(max_size=5), st.one_of(TABLES, st.lists(TABLES, min_size=1, max_size=2)), max_size=3))
def test_what_is_written_is_read_back(tables: dict[str, Any]) -> None:
    assert tomllib.loads(format_toml(tables)) == tables
