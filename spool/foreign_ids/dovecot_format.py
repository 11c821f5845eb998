"""Dovecot's ``pop3_uidl_format``, in the spelling up to 2.3 and in that since 2.4.

Up to 2.3: ``%``, perhaps ``0`` and a width, letters that change the value, and the variable, as in ``%08Xu%08Xv``.
Since 2.4: ``%{variable | filter | filter}``, as in ``%{uid | hex(8)}%{uidvalidity | hex(8)}``. Both may occur in one
text here. Known are those variables and filters that unique-ids were made with.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias, TypeVar

from spool.errors import ForeignIdsError

DEFAULT: Final = "%08Xu%08Xv"
FORMAT_CHARACTERS_MAX: Final = 200

_Filter: TypeAlias = Callable[[str], str]
_Known = TypeVar("_Known")


class Facts(NamedTuple):
    """What a format can show of one message; the names are the variables'."""

    uid: str | None = None
    uidvalidity: str | None = None
    filename: str | None = None
    guid: str | None = None
    md5: str | None = None


@dataclass(frozen=True, slots=True)
class _Variable:
    name: str
    filters: tuple[_Filter, ...]

    def show(self, facts: Facts) -> str | None:
        value: str | None = getattr(facts, self.name)
        return None if value is None else functools.reduce(lambda text, change: change(text), self.filters, value)


class UidlFormat:
    """A format, taken apart.

    Raises:
        ForeignIdsError: it has something unknown in it.
    """

    def __init__(self, text: str) -> None:
        if len(text) > FORMAT_CHARACTERS_MAX:
            raise ForeignIdsError(f"a format of {len(text)} characters is too long")
        self._parts: list[str | _Variable] = []
        position = 0
        for found in _PART.finditer(text):
            self._parts.append(_literal(text[position : found.start()]))
            self._parts.append(_part(found))
            position = found.end()
        self._parts.append(_literal(text[position:]))

    @property
    def variables(self) -> frozenset[str]:
        """The names of the facts that it shows."""
        return frozenset(part.name for part in self._parts if isinstance(part, _Variable))

    def show(self, facts: Facts) -> str | None:
        """Return the id that these facts make, None if one that it needs is not known."""
        shown = [part if isinstance(part, str) else part.show(facts) for part in self._parts]
        return None if None in shown else "".join(filter(None, shown))


def _hex(text: str) -> str:
    return f"{int(text):x}" if text.isdigit() else text


def _md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


_LETTERS: Final[Mapping[str, _Filter]] = {"X": _hex, "L": str.lower, "U": str.upper, "M": _md5}
_SHORT_NAMES: Final[Mapping[str, str]] = {"u": "uid", "v": "uidvalidity", "f": "filename", "g": "guid", "m": "md5"}
# What md5 gives is octets in Dovecot, and hexadecimal only behind hexlify; here it is that from the start.
_FILTERS: Final[Mapping[str, _Filter]] = {
    "hex": _hex, "lower": str.lower, "upper": str.upper, "md5": _md5, "hexlify": str,
}  # fmt: skip
_PART: Final = re.compile(
    r"%(?:(?P<percent>%)"
    r"|(?P<zero>0?)(?P<width>[0-9]{0,3})(?P<letters>[A-Z]*)(?:(?P<short>[a-z])|\{(?P<long>[a-z0-9 |()]{1,100})\}))"
)
_FILTER: Final = re.compile(r"(?P<name>[a-z0-9]+)(?:\((?P<width>[0-9]{1,3})\))?")


def _literal(text: str) -> str:
    if "%" in text:
        raise ForeignIdsError(f"not understood in a format: {text[text.index('%') :]!r}")
    return text


def _part(found: re.Match[str]) -> str | _Variable:
    if found["percent"]:
        return "%"
    name, *later = [word.strip() for word in (found["long"] or "").split("|")]
    filters = [_known(letter, _LETTERS) for letter in found["letters"]]
    if found["short"]:
        name = _known(found["short"], _SHORT_NAMES)
    elif name not in Facts._fields:
        raise ForeignIdsError(f"{name!r} in a format: expected one of {', '.join(Facts._fields)}")
    if found["width"]:
        filters.append(functools.partial(_at_width, int(found["width"]), zero=bool(found["zero"])))
    for word in later:
        filter_ = _FILTER.fullmatch(word)
        if filter_ is None:
            raise ForeignIdsError(f"not understood in a format: {word!r}")
        filters.append(_known(filter_["name"], _FILTERS))
        if filter_["width"]:
            filters.append(functools.partial(_at_width, int(filter_["width"]), zero=True))
    return _Variable(name, tuple(filters))


def _known(name: str, table: Mapping[str, _Known]) -> _Known:
    if name not in table:
        raise ForeignIdsError(f"{name!r} in a format: expected one of {', '.join(sorted(table))}")
    return table[name]


def _at_width(width: int, text: str, *, zero: bool) -> str:
    return text.rjust(width, "0") if zero else text[:width]
