"""Layouts: the named rules that put a user's home into a directory below the spool root.

A layout is asked once, when the user is made. The path is then in the assign record, and no delivery, no login and no
other program computes it again. Names are ASCII (``UserName``), so that no rule depends on the sign of a C ``char``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from spool.cdb import cdb_hash, cdb_hashes
from spool.errors import SettingsError
from spool.names import UserName

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Layout:
    """A rule from user name to directory."""

    name: str
    rule: Callable[[str], str] = field(repr=False)
    rule_of_many: Callable[[Sequence[str]], list[str]] | None = field(default=None, repr=False)
    """The same for many names, where that can be had for less."""

    def directory(self, user: UserName) -> str:
        """Say which directory below the root the user's home lies in: no slash at either end, empty for none."""
        return self.rule(user.text)

    def directories(self, names: Sequence[str]) -> list[str]:
        """Say the same for the names of many users at once, each a ``UserName``'s text."""
        return list(map(self.rule, names)) if self.rule_of_many is None else self.rule_of_many(names)

    def path(self, root: Path, user: UserName) -> Path:
        """Say where the user's home lies."""
        return root / self.directory(user) / user.text


def layout_named(text: str) -> Layout:
    """Find a layout.

    Raises:
        SettingsError: there is none of this name.
    """
    layout = LAYOUTS.get(text)
    if layout is None:
        raise SettingsError(f"no layout {text!r}; there are {', '.join(LAYOUTS)}")
    return layout


def _flat(_name: str) -> str:
    return ""


def _first(name: str) -> str:
    return name[0]


def _first_two(name: str) -> str:
    """``u/s`` for ``username``, ``a/a`` for ``a``. Uneven: all of ``k-chinnen``, ``k-tanaka``, … lie in ``k/-``."""
    return f"{name[0]}/{name[1:2] or name[0]}"


def _qpopper1(name: str) -> str:
    """The popper's ``hash-spool = 1``: the sum of the first five characters, or of all if fewer, modulo 26."""
    return _LETTERS[sum(name[:5].encode("ascii")) % 26]


def _letter(name: str) -> str:
    """The cdb hash of the whole name modulo 26."""
    return _LETTERS[cdb_hash(name.encode("ascii")) % 26]


def _letters_of(names: Sequence[str]) -> list[str]:
    return [_LETTERS[value % 26] for value in cdb_hashes([name.encode("ascii") for name in names])]


def _letter4(name: str) -> str:
    """The case study's hash "up to the fourth character": the sum of c_i·31^i, i from 0 to 3, modulo 26.

    Names that begin with the same four characters share a directory: no number of users ever splits ``user0001``,
    ``user0002``, …
    """
    return _LETTERS[sum(octet * 31**index for index, octet in enumerate(name[:4].encode("ascii"))) % 26]


def _hex2(name: str) -> str:
    """The first two octets of the name's SHA-256, a level of 256 each.

    SHA-256 rather than the cdb hash, whose octets follow the names: of 65,536 directories, the names user0 to user99999
    fill 51,300 with SHA-256, which is what chance would do, and 37,000 with the two low octets of the cdb hash.
    """
    digest = hashlib.sha256(name.encode("ascii")).hexdigest()
    return f"{digest[:2]}/{digest[2:4]}"


LAYOUTS: Final[Mapping[str, Layout]] = {
    layout.name: layout
    for layout in (
        Layout("letter", _letter, _letters_of),
        Layout("letter4", _letter4),
        Layout("first", _first),
        Layout("first-two", _first_two),
        Layout("qpopper1", _qpopper1),
        Layout("qpopper2", _first_two),  # the popper's hash-spool = 2 is the same rule
        Layout("hex2", _hex2),
        Layout("flat", _flat),
    )
}
