"""LDIF (RFC 2849): what ``ldapsearch`` and ``slapcat`` write; accounts are posixAccount entries (RFC 2307)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from spool.directory_sources.accounts import Account, Skipped, SkipReason, account, skipped
from spool.errors import SettingsError


@dataclass(frozen=True, slots=True)
class LdifAttributes:
    """Which attribute says what, in any case; None for what no attribute says.

    The value of ``name`` may be an address: then its domain is the user's domain.
    """

    name: str = "uid"
    uid: str | None = "uidNumber"
    gid: str | None = "gidNumber"
    home: str | None = "homeDirectory"
    domain: str | None = None


@dataclass(slots=True)
class _Entry:
    """An entry: where it begins, and the values of the attributes that are asked for, in lower case."""

    line: int
    values: dict[str, list[bytes]]


def read_ldif(stream: Iterable[bytes], attributes: LdifAttributes, *, file: str) -> Iterator[Account | Skipped]:
    """Read accounts from the entries of an export.

    Entries without a name are none (organisations, groups). Of several values the first counts, of domains all.

    Args:
        stream: the export's lines.
        attributes: which attribute says what.
        file: its name, for errors.

    Raises:
        SettingsError: it is no LDIF, or it holds changes instead of entries; naming file and line.
    """
    chosen = (attributes.name, attributes.uid, attributes.gid, attributes.home, attributes.domain)
    keys = [None if each is None else each.lower() for each in chosen]
    for entry in _entries(_unfolded(stream), {key for key in keys if key}, file):
        names, uids, gids, homes, domains = (None if key is None else entry.values.get(key, []) for key in keys)
        if not names:
            continue
        name, _, domain = names[0].partition(b"@")
        if [] in (uids, gids, homes):
            yield skipped(entry.line, name, SkipReason.FIELDS)
        elif b"\0" in name:
            yield skipped(entry.line, name, SkipReason.NUL)
        else:
            uid, gid, home = (values[0] if values else None for values in (uids, gids, homes))
            for each in [domain] * bool(domain) + (domains or []) or [b""]:
                yield account(entry.line, name, uid, gid, home, each)


def _unfolded(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield (number of its first line from 1, line) with continuations put together (RFC 2849 note 2)."""
    number, parts = 0, list[bytes]()
    for count, octets in enumerate(lines, start=1):
        line = octets.rstrip(b"\r\n")
        if line.startswith(b" ") and parts:
            parts.append(line[1:])
            continue
        if parts:
            yield number, b"".join(parts)
        number, parts = count, [line]
    if parts:
        yield number, b"".join(parts)


def _entries(lines: Iterable[tuple[int, bytes]], wanted: set[str], file: str) -> Iterator[_Entry]:
    """Put lines together to entries; an empty line ends one."""
    entry: _Entry | None = None
    for number, line in lines:
        if not line:
            if entry is not None:
                yield entry
            entry = None
            continue
        if line.startswith(b"#"):
            continue
        name, colon, rest = line.partition(b":")
        if not colon:
            raise SettingsError(f"{file}: line {number}: expected attribute: value, found no colon")
        entry = entry or _Entry(number, {})
        key = name.decode("ascii", "replace").lower()
        if key == "changetype" and rest.strip() != b"add":
            raise SettingsError(f"{file}: line {number}: expected entries, found changes")
        if key in wanted and (value := _value(rest, file, number)) is not None:
            entry.values.setdefault(key, []).append(value)
    if entry is not None:
        yield entry


def _value(rest: bytes, file: str, number: int) -> bytes | None:
    """Return a value from what follows the first colon; None for one that is elsewhere (``:< file:…``)."""
    if rest.startswith(b"<"):
        return None
    if rest.startswith(b":"):
        try:
            rest = base64.b64decode(rest[1:].strip(b" "), validate=True)
        except binascii.Error as error:
            raise SettingsError(f"{file}: line {number}: {error}") from error
    return rest.lstrip(b" ")
