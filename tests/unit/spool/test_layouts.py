"""Tests of ``spool.layouts``."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.errors import SettingsError
from spool.layouts import LAYOUTS, layout_named
from spool.names import UserName

VECTORS = [
    ("flat", "yasuhi-a", ""),
    ("first", "yasuhi-a", "y"),
    ("first", "k-chinnen", "k"),
    ("first", "_a", "_"),
    ("first-two", "username", "u/s"),
    ("first-two", "k-chinnen", "k/-"),
    ("first-two", "a", "a/a"),
    ("qpopper1", "yasuhi-a", "i"),  # 554 mod 26
    ("qpopper1", "k-chinnen", "s"),  # 460 mod 26
    ("qpopper1", "a", "t"),
    ("qpopper2", "yasuhi-a", "y/a"),
    ("qpopper2", "k-chinnen", "k/-"),
    ("qpopper2", "a", "a/a"),
    ("letter", "yasuhi-a", "g"),
    ("letter", "k-chinnen", "s"),
    ("letter", "a", "y"),
    ("letter4", "yasuhi-a", "k"),
    ("letter4", "k-chinnen", "z"),
    ("letter4", "a", "t"),
    ("hex2", "yasuhi-a", "27/56"),
    ("hex2", "k-chinnen", "dc/3e"),
    ("hex2", "a", "ca/97"),
]


@pytest.mark.parametrize(("layout", "name", "directory"), VECTORS)
def test_a_layout_computes_its_vector(layout: str, name: str, directory: str) -> None:
    assert layout_named(layout).directory(UserName(name)) == directory


def test_letter_is_the_cdb_hash_modulo_26() -> None:
    value = 5381
    for octet in b"k-chinnen":
        value = ((value << 5) + value) % 2**32 ^ octet
    assert layout_named("letter").directory(UserName("k-chinnen")) == "abcdefghijklmnopqrstuvwxyz"[value % 26]


def test_letter4_is_a_polynomial_over_the_first_four_octets() -> None:
    value = ord("y") + ord("a") * 31 + ord("s") * 31**2 + ord("u") * 31**3
    assert layout_named("letter4").directory(UserName("yasuhi")) == "abcdefghijklmnopqrstuvwxyz"[value % 26]


def test_letter4_cannot_split_names_that_begin_alike() -> None:
    layout = layout_named("letter4")
    assert len({layout.directory(UserName(f"user{number}")) for number in range(1000)}) == 1


def test_letter_splits_names_that_begin_alike() -> None:
    layout = layout_named("letter")
    assert len({layout.directory(UserName(f"user{number}")) for number in range(1000)}) == 26


def test_hex2_fills_directories_as_chance_would() -> None:
    layout = layout_named("hex2")
    assert len({layout.directory(UserName(f"user{number}")) for number in range(20_000)}) > 17_000  # chance: 17,230


def test_a_path_is_root_directory_and_name() -> None:
    assert layout_named("first-two").path(Path("/mail"), UserName("username")) == Path("/mail/u/s/username")


def test_a_flat_path_has_no_directory_between() -> None:
    assert layout_named("flat").path(Path("/mail"), UserName("username")) == Path("/mail/username")


@given(st.from_regex(r"[a-z0-9_][a-z0-9._+=-]{0,63}", fullmatch=True), st.sampled_from(sorted(LAYOUTS)))
def test_every_path_stays_below_the_root(name: str, layout: str) -> None:
    path = layout_named(layout).path(Path("/mail"), UserName(name))
    assert path.name == name
    assert ".." not in path.parts
    assert path.is_relative_to("/mail")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_many_names_have_the_directories_they_have_one_by_one(layout: str) -> None:
    names = ["a", "ann", "bob", "k-chinnen", "user0001"]
    found = LAYOUTS[layout].directories(names)
    assert found == [LAYOUTS[layout].directory(UserName(name)) for name in names]


def test_an_unknown_layout_is_answered_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"no layout 'hash'; there are letter, .*flat"):
        layout_named("hash")
