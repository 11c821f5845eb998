"""Changing ``[spool] layout`` in ``mailspool.toml``, and nothing else in it."""

from __future__ import annotations

import re
import stat
import tomllib
from pathlib import Path
from typing import Final

from spool import durable
from spool.rehash.moves import RehashError
from spool.settings_file import Override, read_settings_file, with_override

_TABLE: Final = re.compile(r"^[ \t]*\[[ \t]*spool[ \t]*\][^\n]*\n", re.MULTILINE)
_KEY: Final = re.compile(r"^([ \t]*layout[ \t]*=[ \t]*)(\"[^\"\\\n]*\"|'[^'\n]*')", re.MULTILINE)


def set_layout(file: Path, layout: str) -> None:
    """Let new users be put where a layout says, keeping comments and everything else of the file.

    Holds when it returns; a crash before that leaves the old file or the new one.

    Raises:
        RehashError: the file is written in a way that only a person can change.
        SpoolError: it cannot be read or written.
    """
    before = read_settings_file(file)
    with durable.storage_errors(file):
        text = file.read_bytes().decode("utf-8")  # not read_text, which changes line ends
        status = file.stat()
    changed = _with_layout(text, layout)
    if not _means(changed, with_override(before, Override("spool", "layout", layout))):
        raise RehashError(
            f'{file}: cannot be changed safely; set layout = "{layout}" in [spool] by hand, and run again'
        )
    with durable.storage_errors(file):
        owner = (status.st_uid, status.st_gid)
        durable.replace_file(file, [changed.encode("utf-8")], mode=stat.S_IMODE(status.st_mode), owner=owner)


def _with_layout(text: str, layout: str) -> str:
    table = _TABLE.search(text)
    if table is None:
        return text
    following = re.compile(r"^[ \t]*\[", re.MULTILINE).search(text, table.end())
    key = _KEY.search(text, table.end(), following.start() if following else len(text))
    if key is None:
        return f'{text[: table.end()]}layout = "{layout}"\n{text[table.end() :]}'
    return f'{text[: key.end(1)]}"{layout}"{text[key.end() :]}'


def _means(text: str, tables: object) -> bool:
    try:
        return tomllib.loads(text) == tables
    except tomllib.TOMLDecodeError:
        return False
