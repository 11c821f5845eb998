"""The table of assignments: qmail's users/assign text, and the constant database it is compiled to.

An *exact* assignment gives one local part to a user; a *wildcard* gives every local part that begins with its prefix,
and what follows the prefix becomes the extension. Text and database are qmail's (qmail-users(5)), so that either side's
programs read the other's; we are stricter where qmail's compiler is careless:

- a line begins with ``=`` or ``+`` (qmail takes any other octet for ``=``);
- uid and gid are numbers (qmail copies whatever stands there);
- user and home are not empty, and the home is an absolute path without ``..``;
- the set of last octets of the prefixes is in lower case, as look-ups are (qmail's never finds the prefix ``VIP``).

Numbers and paths are written back in their plain form: ``0507`` as ``507``, ``/home//joe/`` as ``/home/joe``. Octets
that are not UTF-8 survive as surrogate escapes. Case is ASCII case.
"""

from __future__ import annotations

import functools
import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, assert_never

import cdbx

from spool import durable
from spool.errors import SettingsError

COMPILED_MODE: Final = 0o644  # as qmail-newu leaves it: it holds no secret, and deliveries run with many uids
WILDCARD_SET_KEY: Final = b""
_PIECE_OCTETS: Final = 1 << 20  # of a database that is written
_ID_MAX: Final = 2**32 - 2  # chown(2) takes 2**32 - 1 for "leave it"
_FIELDS: Final = ("local part", "user", "uid", "gid", "home", "dash", "extension")


@dataclass(frozen=True, slots=True)
class AssignRecord:
    """Whose a local part is: what both text and database say of it.

    ``user`` and ``home`` are as written; messages are controlled by the file ``home/.qmail`` + ``dash`` +
    ``extension``. In a wildcard's record ``extension`` is what comes before the rest of the local part.
    """

    user: str
    uid: int
    gid: int
    home: Path
    dash: str = ""
    extension: str = ""


@dataclass(frozen=True, slots=True)
class Assignment:
    """``=local:…``: one local part, in any case."""

    local: str
    record: AssignRecord


@dataclass(frozen=True, slots=True)
class Wildcard:
    """``+prefix:…``: every local part that begins with the prefix, in any case; the empty prefix takes all."""

    prefix: str
    record: AssignRecord


AssignLine: TypeAlias = Assignment | Wildcard


class _FieldError(ValueError):
    """One field is wrong; the message names it."""


# -- text -------------------------------------------------------------------------------------------------------------


def read_assign(path: Path) -> tuple[AssignLine, ...]:
    """Read a file of assignments.

    Raises:
        SettingsError: it cannot be read, or as ``parse_assign``.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    return parse_assign(text, file=path)


def parse_assign(text: bytes, *, file: Path) -> tuple[AssignLine, ...]:
    """Parse assignments up to the line that begins with a dot, which must be there: without it the file may be cut.

    What follows the seventh colon of a line, or the dot, is ignored, as in qmail.

    Args:
        text: the whole file.
        file: its name, for errors.

    Raises:
        SettingsError: naming file, line and field.
    """
    *lines, rest = text.split(b"\n")
    parsed: list[AssignLine] = []
    for number, line in enumerate(lines, start=1):
        if line.startswith(b"."):
            return tuple(parsed)
        try:
            parsed.append(parse_line(line))
        except _FieldError as error:
            raise SettingsError(f"{file}: line {number}: {error}") from error
    if rest.startswith(b"."):
        return tuple(parsed)
    trouble = "it has no line end" if rest else "expected the closing dot, found the end of the file"
    raise SettingsError(f"{file}: line {len(lines) + 1}: {trouble}")


def format_assign(lines: Iterable[AssignLine]) -> bytes:
    """Write assignments as text, the closing dot included."""
    return b"".join(format_line(line) for line in lines) + b".\n"


def format_line(line: AssignLine) -> bytes:
    """Write one assignment as a line of text.

    Raises:
        ValueError: the line would not be read back as it is, as with a colon in the home.
    """
    match line:
        case Assignment(local, record):
            head = f"={local}"
        case Wildcard(prefix, record):
            head = f"+{prefix}"
        case _:
            assert_never(line)
    fields = (head, record.user, record.uid, record.gid, record.home, record.dash, record.extension)
    written = _encode(":".join(map(str, fields))) + b":"
    if b"\n" in written or parse_line(written) != line:
        raise _FieldError(f"{written[:200]!r} is no line of assignments")
    return written + b"\n"


def parse_line(line: bytes) -> AssignLine:
    """Parse one line, given without its line end.

    Raises:
        ValueError: naming the field that is wrong.
    """
    if b"\0" in line:
        raise _FieldError("it contains a NUL")
    fields = _decode(line[1:]).split(":")
    if len(fields) < len(_FIELDS) + 1:
        raise _FieldError(f"expected seven colons, found {len(fields) - 1}")
    local, *values = fields[: len(_FIELDS)]
    match line[:1]:
        case b"=":
            if not local:
                raise _FieldError("field 1 (local part): expected a local part, found nothing")
            return Assignment(local, _record(values))
        case b"+":
            return Wildcard(local, _record(values))
        case first:
            raise _FieldError(f"expected = or + or the closing dot at its beginning, found {_decode(first)!r}")


def _record(values: list[str]) -> AssignRecord:
    """Make a record of the six texts that follow the local part, in a line as in a database.

    Raises:
        _FieldError: one of them is wrong.
    """
    user, uid, gid, home, dash, extension = values
    if not user:
        raise _field_error(1, "a user name", user)
    if not home.startswith("/") or ".." in home.split("/"):
        raise _field_error(4, "an absolute path without ..", home)
    return AssignRecord(user, _id(2, uid), _id(3, gid), _path(home), dash, extension)


@functools.lru_cache(maxsize=16)  # a user's lines stand together and name one home
def _path(home: str) -> Path:
    return Path(home)


def _id(field: int, text: str) -> int:
    # isdigit() alone would let other scripts' digits through.
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or (value := int(text)) > _ID_MAX:
        raise _field_error(field, f"a number up to {_ID_MAX}", text)
    return value


def _field_error(field: int, expected: str, found: str) -> _FieldError:
    return _FieldError(f"field {field + 1} ({_FIELDS[field]}): expected {expected}, found {found[:80]!r}")


def _decode(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# -- database ---------------------------------------------------------------------------------------------------------


def exact_key(local: bytes) -> bytes:
    """The key of an exact assignment."""
    return b"!" + local.lower() + b"\0"


def wildcard_key(prefix: bytes) -> bytes:
    """The key of a wildcard."""
    return b"!" + prefix.lower()


def compile_assign(lines: Iterable[AssignLine]) -> bytes:
    """Compile assignments to the octets of a constant database, as ``compile_plain``.

    Raises:
        ValueError: a line cannot be written as text.
    """
    return b"".join(compile_plain(map(format_line, lines)))


def compile_plain(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Compile the text of assignments to a constant database, as qmail-newu does.

    Of equal keys the first wins. The last record has the empty key and holds the last octets of all prefixes, in order
    of first appearance; look-ups need to try only prefixes that end in one of them.

    Args:
        pieces: whole lines, as ``format_line`` writes them. They are not checked.

    Yields:
        The octets of the database, in pieces.
    """
    last_octets: dict[int, None] = {}
    with os.fdopen(os.memfd_create("assign.cdb"), "w+b") as file:
        maker = cdbx.CDB.make(file)
        add = maker.add
        for piece in pieces:
            # The data of a record are the fields from the second to the seventh, with a NUL between each two. Whole
            # columns are made and added at once: a line of Python for each line would take a third longer.
            cut = [line.partition(b"\0") for line in piece.replace(b":", b"\0").split(b"\0\n") if line]
            heads = b"\n".join([head for head, _, _ in cut]).lower().split(b"\n")
            keys = [b"!" + head[1:] + b"\0" if head.startswith(b"=") else b"!" + head[1:] for head in heads]
            deque(map(add, keys, [data for _, _, data in cut]), maxlen=0)
            last_octets.update(dict.fromkeys(head[-1] for head in heads if head.startswith(b"+") and head != b"+"))
        add(WILDCARD_SET_KEY, bytes(last_octets))
        maker.commit().close()
        file.seek(0)
        while piece := file.read(_PIECE_OCTETS):
            yield piece


def publish_assign(lines: Iterable[AssignLine], path: Path) -> None:
    """Compile assignments and put the database in the place of ``path``, as ``publish_plain``.

    Raises:
        ValueError: a line cannot be written as text.
        SpoolError: the database cannot be written.
    """
    publish_plain(map(format_line, lines), path)


def publish_plain(pieces: Iterable[bytes], path: Path) -> None:
    """Compile the text of assignments, as ``compile_plain``, and put the database in the place of ``path``.

    Holds when it returns; readers see the old or the new one, whole, and so it is after a crash at any moment.

    Raises:
        SpoolError: it cannot be written.
    """
    with durable.storage_errors(path):
        durable.replace_file(path, compile_plain(pieces), mode=COMPILED_MODE)


def parse_record_data(data: bytes) -> AssignRecord:
    """Take the data of a record in the database apart.

    Raises:
        ValueError: it is not what a line of text can say.
    """
    fields = _decode(data).split("\0")
    if len(fields) != len(_FIELDS) - 1:
        raise _FieldError(f"expected six fields, found {len(fields)}")
    if b":" in data or b"\n" in data:
        raise _FieldError("a field contains a colon or a line end")
    return _record(fields)


def lines_of(records: Iterable[tuple[bytes, bytes]]) -> Iterator[AssignLine]:
    """Turn the records of a database back into assignments, in their order; local parts come in lower case.

    Raises:
        ValueError: a record is not what a line of text can say.
    """
    for key, data in records:
        if key == WILDCARD_SET_KEY:
            continue
        if not key.startswith(b"!"):
            raise _FieldError(f"the key {key[:80]!r} does not begin with !")
        record = parse_record_data(data)
        local = _decode(key[1:])
        if ":" in local or "\n" in local:
            raise _field_error(0, "neither colon nor line end", local)
        yield Assignment(local[:-1], record) if local.endswith("\0") else Wildcard(local, record)
