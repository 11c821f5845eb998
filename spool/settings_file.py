"""``mailspool.toml``: from TOML to frozen dataclasses, from ``SECTION.KEY=VALUE`` to TOML, and back to text.

Each package has its settings in one dataclass; its fields are the keys of one table, their annotations what a value may
be: ``str``, ``int``, ``float``, ``bool``, ``Path``, ``Literal``, a tuple of one of these, or one of these ``| None``.
What a type cannot say a dataclass checks in ``__post_init__``, raising a ``ValueError`` whose text begins with the key:
``layout: expected …, found …``.
"""

from __future__ import annotations

import math
import re
import tomllib
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, TypeVar, Union

from spool.errors import SettingsError

Scalar: TypeAlias = str | int | float | bool
Value: TypeAlias = Scalar | Sequence[Scalar]
Table: TypeAlias = Mapping[str, Any]
Settings = TypeVar("Settings")

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_OVERRIDE: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)=(.*)", re.DOTALL)


class _UnexpectedError(ValueError):
    """A value is not of its key's type; the text says what was expected."""


# -- from the file ----------------------------------------------------------------------------------------------------


def read_settings_file(path: Path) -> dict[str, Any]:
    """Read a TOML file into its tables, unchecked.

    Raises:
        SettingsError: it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error


def check_sections(tables: Table, known: Sequence[str], *, file: Path) -> None:
    """Check that the file has no other sections than the known ones.

    Raises:
        SettingsError: it has; the message names the first and the known ones.
    """
    for name in tables:
        if name not in known:
            raise SettingsError(f"{file}: unknown section [{name}]; there are {', '.join(known)}")


def table_to(cls: type[Settings], table: object, *, file: Path, section: str) -> Settings:
    """Make settings of one table. Relative paths in it begin at the file's directory.

    Args:
        cls: a dataclass, see above.
        table: as TOML had it; not yet known to be a table.
        file: for errors, and for relative paths.
        section: the table's name, for errors.

    Raises:
        SettingsError: naming file, section and key, what was expected and what was found.
    """
    if not isinstance(table, Mapping):
        raise SettingsError(f"{file}: {section}: expected a table, found {_shown(table)}")
    types_of_keys = _types(cls)
    values: dict[str, object] = {}
    for key, value in table.items():
        where = f"{file}: {section}.{key}"
        if key not in types_of_keys:
            raise SettingsError(f"{where}: unknown key; [{section}] has {', '.join(types_of_keys)}")
        try:
            values[key] = _kind(types_of_keys[key]).check(value, file.parent)
        except _UnexpectedError as error:
            raise SettingsError(f"{where}: expected {error}, found {_shown(value)}") from error
    for key in _required(cls):
        if key not in values:
            raise SettingsError(
                f"{file}: {section}.{key}: expected {_kind(types_of_keys[key]).expected}, found nothing"
            )
    try:
        return cls(**values)
    except ValueError as error:
        raise SettingsError(f"{file}: {section}.{error}") from error


def array_to(cls: type[Settings], array: object, *, file: Path, section: str) -> tuple[Settings, ...]:
    """Make settings of each table of an array (``[[section]]``); errors count them from 1.

    Raises:
        SettingsError: as ``table_to``.
    """
    if not isinstance(array, list):
        raise SettingsError(f"{file}: {section}: expected tables [[{section}]], found {_shown(array)}")
    return tuple(
        table_to(cls, table, file=file, section=f"{section}[{number}]") for number, table in enumerate(array, start=1)
    )


# -- from the command line --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Override:
    """``SECTION.KEY=VALUE`` with the value as TOML would have it; None takes the key out, back to its default."""

    section: str
    key: str
    value: Value | None


def parse_override(text: str, classes: Mapping[str, type]) -> Override:
    """Parse ``SECTION.KEY=VALUE``, reading VALUE by the key's type.

    Truth values are ``true`` and ``false``; lists are comma-separated, and an empty VALUE is the empty list; for a key
    that may be left out it leaves it out.

    Args:
        text: what the operator wrote.
        classes: the settings dataclass of each section.

    Raises:
        SettingsError: it is not of that form, or there is no such key, or VALUE is not of its type.
    """
    parts = _OVERRIDE.fullmatch(text)
    if parts is None:
        raise SettingsError(f"expected SECTION.KEY=VALUE, found {text!r}")
    section, key, value = parts.groups()
    if section not in classes:
        raise SettingsError(f"unknown section {section!r}; there are {', '.join(classes)}")
    types_of_keys = _types(classes[section])
    if key not in types_of_keys:
        raise SettingsError(f"{section}.{key}: unknown key; [{section}] has {', '.join(types_of_keys)}")
    try:
        return Override(section, key, _kind(types_of_keys[key]).read(value))
    except _UnexpectedError as error:
        raise SettingsError(f"{section}.{key}: expected {error}, found {value!r}") from error


def with_override(tables: Table, override: Override) -> dict[str, Any]:
    """Return tables with one value changed.

    Raises:
        SettingsError: the section is there and is no table.
    """
    table = tables.get(override.section, {})
    if not isinstance(table, Mapping):
        raise SettingsError(f"{override.section}: expected a table, found {_shown(table)}")
    changed = {key: value for key, value in table.items() if key != override.key}
    if override.value is not None:
        changed[override.key] = override.value
    return {**tables, override.section: changed}


# -- to the file ------------------------------------------------------------------------------------------------------


def format_toml(
    tables: Mapping[str, Mapping[str, Value] | Sequence[Mapping[str, Value]]], comments: Mapping[str, str] | None = None
) -> str:
    """Write tables, and arrays of tables, as TOML.

    Args:
        tables: by section; a section that is a sequence becomes ``[[section]]`` for each.
        comments: text to stand above the first ``section``, or above each ``section.key``.
    """
    comments = comments or {}
    blocks = []
    for section, content in tables.items():
        one = isinstance(content, Mapping)
        lines = list(_comment(comments.get(section)))
        for table in [content] if isinstance(content, Mapping) else content:
            lines.append(f"[{_key(section)}]" if one else f"[[{_key(section)}]]")
            for key, value in table.items():
                lines += [*_comment(comments.get(f"{section}.{key}")), f"{_key(key)} = {_toml(value)}"]
            blocks.append("\n".join([*lines, ""]))
            lines = []
    return "\n".join(blocks)


def _comment(text: str | None) -> Iterator[str]:
    for line in (text or "").splitlines():
        yield f"# {line}".rstrip()


def _key(text: str) -> str:
    return text if _BARE_KEY.fullmatch(text) else _toml(text)


def _toml(value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return '"' + "".join(_ESCAPES.get(character, character) for character in value) + '"'
        case _:
            return f"[{', '.join(map(_toml, value))}]"


_ESCAPES: Final[Mapping[str, str]] = {chr(code): f"\\u{code:04x}" for code in (*range(32), 127)} | {
    '"': '\\"',
    "\\": "\\\\",
    "\n": "\\n",
    "\t": "\\t",
}

# -- types of values --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Kind:
    """What one annotation stands for.

    ``check`` turns a TOML value into the field's, ``read`` an operator's text into a TOML value; both raise
    ``_UnexpectedError``. ``expected`` names the kind in errors.
    """

    expected: str
    check: Callable[[object, Path], object]
    read: Callable[[str], Value | None]


def _kind(annotation: Any) -> _Kind:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return _choice(arguments)
    if origin is tuple:
        return _list(_kind(arguments[0]))
    if origin in {types.UnionType, Union}:
        (present,) = (argument for argument in arguments if argument is not types.NoneType)
        return _optional(_kind(present))
    return _PLAIN[annotation]


def _choice(choices: tuple[str, ...]) -> _Kind:
    expected = " or ".join(f'"{choice}"' for choice in choices)

    def check(value: object, _base: Path) -> object:
        if value not in choices:
            raise _UnexpectedError(expected)
        return value

    return _Kind(expected, check, str)


def _list(member: _Kind) -> _Kind:
    expected = f"a list, each member {member.expected}"

    def check(value: object, base: Path) -> object:
        if not isinstance(value, list | tuple):
            raise _UnexpectedError(expected)
        return tuple(member.check(each, base) for each in value)

    def read(text: str) -> Value:
        return [typing.cast("Scalar", member.read(part.strip())) for part in text.split(",")] if text.strip() else []

    return _Kind(expected, check, read)


def _optional(present: _Kind) -> _Kind:
    return _Kind(present.expected, present.check, lambda text: present.read(text) if text else None)


def _check_text(value: object, _base: Path) -> object:
    if not isinstance(value, str):
        raise _UnexpectedError("text")
    return value


def _check_path(value: object, base: Path) -> object:
    if not isinstance(value, str) or not value or "\0" in value:
        raise _UnexpectedError("a path")
    return base / value


def _check_whole(value: object, _base: Path) -> object:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _UnexpectedError("a whole number")
    return value


def _check_number(value: object, _base: Path) -> object:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise _UnexpectedError("a number")
    return float(value)


def _check_truth(value: object, _base: Path) -> object:
    if not isinstance(value, bool):
        raise _UnexpectedError("true or false")
    return value


def _read_whole(text: str) -> Value:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise _UnexpectedError("a whole number")
    return int(text)


def _read_number(text: str) -> Value:
    if not re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", text):
        raise _UnexpectedError("a number")
    return float(text)


def _read_truth(text: str) -> Value:
    if text not in {"true", "false"}:
        raise _UnexpectedError("true or false")
    return text == "true"


_PLAIN: Final[Mapping[type, _Kind]] = {
    str: _Kind("text", _check_text, str),
    Path: _Kind("a path", _check_path, str),
    int: _Kind("a whole number", _check_whole, _read_whole),
    float: _Kind("a number", _check_number, _read_number),
    bool: _Kind("true or false", _check_truth, _read_truth),
}


def _types(cls: type) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {each.name: hints[each.name] for each in fields(cls)}


def _required(cls: type) -> list[str]:
    return [each.name for each in fields(cls) if each.default is MISSING and each.default_factory is MISSING]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
