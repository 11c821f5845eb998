"""The undo record of one repair: what was changed, so that it can be changed back.

A file of JSON lines in the site's maintenance directory: first a line that says what it is, then one for each change,
on disk before the change is made. So the last one may never have been made, and a last line without line end, torn by
a crash, certainly was not. Octets of names that are not UTF-8 are surrogate escapes of JSON.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from spool import durable
from spool.checking.changes import Identity, MakeDirectory, PutLink, SetMode, SetOwner
from spool.checking.places import Place
from spool.errors import SpoolError

_HEAD: Final = {"mailspool": "check-undo 1"}


class UndoRecordError(SpoolError):
    """An undo record cannot be read or is not one; the message says why, to the operator."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A file was renamed to a place where it is kept."""

    place: Place
    identity: Identity
    kept: Place


@dataclass(frozen=True, slots=True)
class Removed:
    """A link or small file was removed; all there was of it is here. ``content`` is None for a link."""

    place: Place
    owner: tuple[int, int]
    mode: int
    modified_ns: int
    target: str | None
    content: bytes | None


@dataclass(frozen=True, slots=True)
class Compiled:
    """``assign.cdb`` was compiled; the one before is in ``kept``, if there was one.

    ``digest`` is the SHA-256 of what was compiled, in hexadecimal.
    """

    text: Path
    compiled: Path
    kept: Path | None
    digest: str


Entry: TypeAlias = SetOwner | SetMode | MakeDirectory | PutLink | Moved | Removed | Compiled


class UndoRecord:
    """The record of the repair that is under way; its file is made by the first entry.

    Args:
        maintenance: the directory for it.
        clock: seconds since 1970, for its name.
    """

    def __init__(self, maintenance: Path, *, clock: Callable[[], float] = time.time) -> None:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(clock()))
        self.name: Final = f"check-{stamp}-{secrets.token_hex(4)}"
        self.kept_directory: Final = f"removed-{self.name}"
        self.path: Final = maintenance / f"{self.name}.undo"
        self._descriptor: int | None = None
        self._kept = 0

    @property
    def begun(self) -> bool:
        """Whether anything was recorded."""
        return self._descriptor is not None

    def next_kept_name(self) -> str:
        """Name the next file that is kept; in each directory of this record's name it is there once."""
        self._kept += 1
        return str(self._kept)

    def add(self, entry: Entry) -> None:
        """Record a change that is about to be made. Holds when it returns.

        Raises:
            SpoolError: it cannot be written.
        """
        with durable.storage_errors(self.path):
            if self._descriptor is None:
                durable.replace_file(self.path, [_line(_HEAD)])
                self._descriptor = durable.open_for_append(self.path)
            durable.write_all(self._descriptor, _line(_plain(entry)))
            durable.sync_file(self._descriptor)

    def close(self) -> None:
        """Close its file. May be called twice."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def read_record(path: Path) -> tuple[Entry, ...]:
    """Read the changes of a record, in the order in which they were made.

    Raises:
        UndoRecordError: it cannot be read, or is no undo record.
    """
    try:
        *lines, _torn = path.read_bytes().split(b"\n")
        if not lines or json.loads(lines[0]) != _HEAD:
            raise UndoRecordError(f"{path}: not an undo record of spool-check")
        return tuple(_entries(lines[1:]))
    except OSError as error:
        raise UndoRecordError(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UndoRecordError(f"{path}: not a whole undo record: {error!r}") from error


def _entries(lines: list[bytes]) -> Iterator[Entry]:
    for line in lines:
        values = json.loads(line)
        yield _READERS[values.pop("change")](values)


def _line(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values).encode("ascii") + b"\n"


# -- between entries and JSON -----------------------------------------------------------------------------------------


def _plain(entry: Entry) -> dict[str, Any]:
    names = (name for name in entry.__slots__ if isinstance(name, str))
    return {"change": type(entry).__name__, **{name: _plain_value(getattr(entry, name)) for name in names}}


def _plain_value(value: object) -> Any:
    match value:
        case Place(base, parts, home_uid):
            return {"base": str(base), "parts": parts, "home_uid": home_uid}
        case Identity(device, inode):
            return [device, inode]
        case Path():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case _:
            return value


def _place(value: Any) -> Place:
    return Place(Path(value["base"]), tuple(value["parts"]), value["home_uid"])


def _path(value: Any) -> Path | None:
    return None if value is None else Path(value)


def _octets(value: Any) -> bytes | None:
    return None if value is None else base64.b64decode(value)


_FIELDS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "place": _place,
    "kept": _place,
    "identity": lambda value: Identity(*value),
    "owner": tuple,
    "content": _octets,
    "text": Path,
    "compiled": Path,
}


def _reader(cls: Callable[..., Entry], **fields: Callable[[Any], Any]) -> Callable[[dict[str, Any]], Entry]:
    readers = {**_FIELDS, **fields}

    def read(values: dict[str, Any]) -> Entry:
        return cls(**{name: readers.get(name, _same)(value) for name, value in values.items()})

    return read


def _same(value: Any) -> Any:
    return value


_READERS: Final[Mapping[str, Callable[[dict[str, Any]], Entry]]] = {
    "SetOwner": _reader(SetOwner, before=tuple, after=tuple),
    "SetMode": _reader(SetMode),
    "MakeDirectory": _reader(MakeDirectory),
    "PutLink": _reader(PutLink),
    "Moved": _reader(Moved),
    "Removed": _reader(Removed),
    "Compiled": _reader(Compiled, kept=_path),
}
