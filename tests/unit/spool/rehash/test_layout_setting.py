"""Tests of ``spool.rehash.layout_setting``."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from spool.rehash.layout_setting import set_layout
from spool.rehash.moves import RehashError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mailspool.toml"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('# a\n[spool]\nlayout = "letter" # b\nx = 1\n', '# a\n[spool]\nlayout = "hex2" # b\nx = 1\n'),
        ("[spool]\r\nlayout='letter'\r\n[log]\r\n", '[spool]\r\nlayout="hex2"\r\n[log]\r\n'),
        (
            "[spool] # c\nroot = 'x'\n[log]\nlayout = 'z'\n",
            "[spool] # c\nlayout = \"hex2\"\nroot = 'x'\n[log]\nlayout = 'z'\n",
        ),
    ],
    ids=["a value is replaced", "line ends are kept", "a missing key is added"],
)
def test_only_the_layout_is_changed(file: Path, before: str, after: str) -> None:
    file.write_bytes(before.encode())
    file.chmod(0o640)
    set_layout(file, "hex2")
    assert file.read_bytes().decode() == after
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    "text",
    ['spool = {layout = "letter"}\n', '[spool]\n"layout" = "letter"\n', '[spool]\nx = """\nlayout = "y"\n"""\n'],
    ids=["an inline table", "a quoted key", "a text that looks like the key"],
)
def test_what_only_a_person_can_change_is_left_to_one(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(RehashError, match='set layout = "hex2"'):
        set_layout(file, "hex2")
    assert file.read_text() == text
