"""The lists beside a source, in the forms of qmail's ``users/include``, ``users/mailnames`` and the others.

One entry a line; white space at a line's end, empty lines, and lines that begin with ``#`` do not count. What is
appended are assignments, as they stand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spool.assign_text import AssignText
from spool.control_files import entries
from spool.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Subuser:
    """Mail for ``local`` is the user's, controlled by the extension ``extension`` of theirs."""

    local: bytes
    user: bytes
    extension: bytes


@dataclass(frozen=True, slots=True)
class Additions:
    """What a directory source does not know of.

    Attributes:
        mail_names: the local parts of a user; without an entry the one that is the user's name.
        subusers: local parts that are a user's extension.
        catch_all: who gets what nobody else gets, as qmail's user ``alias`` does; None for nobody.
        appended: further assignments, in plain form.
    """

    mail_names: Mapping[bytes, tuple[bytes, ...]] = field(default_factory=dict)
    subusers: tuple[Subuser, ...] = ()
    catch_all: bytes | None = None
    appended: bytes = b""


def read_names(path: Path) -> frozenset[bytes]:
    """Read a list of names.

    Raises:
        SettingsError: it cannot be read.
    """
    return frozenset(_encoded(entry) for _, entry in _entries(path))


def read_mail_names(path: Path) -> dict[bytes, tuple[bytes, ...]]:
    """Read lines ``user:name1:name2:…``.

    Raises:
        SettingsError: it cannot be read, or a line is wrong.
    """
    found: dict[bytes, tuple[bytes, ...]] = {}
    for number, entry in _entries(path):
        user, *names = entry.rstrip(":").split(":")
        if not (user and names and all(names)):
            raise SettingsError(f"{path}: line {number}: expected user:name:…, found {entry[:80]!r}")
        found[_encoded(user)] = tuple(map(_encoded, names))
    return found


def read_subusers(path: Path) -> tuple[Subuser, ...]:
    """Read lines ``local:user:extension:``.

    Raises:
        SettingsError: it cannot be read, or a line is wrong.
    """
    found: list[Subuser] = []
    for number, entry in _entries(path):
        match entry.split(":"):
            case [local, user, extension, ""] | [local, user, extension] if local and user:
                found.append(Subuser(_encoded(local), _encoded(user), _encoded(extension)))
            case _:
                raise SettingsError(f"{path}: line {number}: expected local:user:extension:, found {entry[:80]!r}")
    return tuple(found)


def read_appended(path: Path) -> bytes:
    """Read assignments that are added as they stand; the closing dot is not needed.

    Raises:
        SettingsError: they cannot be read, or are wrong; naming file, line and field.
    """
    text = _read(path)
    if text and not text.endswith(b"\n"):
        text += b"\n"
    return b"".join(AssignText.parse(text + b".\n", file=path).pieces())


def _entries(path: Path) -> Iterator[tuple[int, str]]:
    text = _read(path).decode("utf-8", "surrogateescape")
    if "\0" in text:
        raise SettingsError(f"{path}: it contains a NUL")
    return entries(text)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
