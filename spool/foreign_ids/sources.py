"""The sources of ids by their names, as ``spool-uidl import`` and ``spool-import`` offer them."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from spool.errors import ForeignIdsError
from spool.foreign_ids import dovecot_format, formulas, live
from spool.foreign_ids.courier import CourierIds
from spool.foreign_ids.credentials import Credentials, read_credentials
from spool.foreign_ids.dovecot import DovecotIds
from spool.foreign_ids.dovecot_format import UidlFormat
from spool.foreign_ids.listed import ListedIds
from spool.foreign_ids.old_mailbox import IdFinder
from spool.foreign_ids.old_server import PORTS, OldServer, Security
from spool.foreign_ids.user_files import ListFile, read_list
from spool.names import UserName

LIVE: Final = "live"

_ADDRESS: Final = re.compile(r"(?P<host>[^:\[\]\s]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?")


class IdSource(Protocol):
    """Where ids come from."""

    @property
    def name(self) -> str:
        """What it is called."""

    def finder(self, user: UserName) -> IdFinder:
        """Get ready to find a user's ids: all that may take long and needs no look at the mailbox.

        Raises:
            ForeignIdsError: the ids cannot be had.
        """


@dataclass(frozen=True, slots=True)
class Formula:
    """Ids that follow from the messages themselves."""

    name: str
    find: IdFinder

    def finder(self, user: UserName) -> IdFinder:  # noqa: ARG002 - it is the same for all
        """Return the formula."""
        return self.find


@dataclass(frozen=True, slots=True)
class FileSource:
    """Ids that files of the old server tell.

    Attributes:
        name: what it is called.
        file: template of the file's path, with ``{user}``; None for where the old server keeps it.
        find: makes the finder, given the file.
    """

    name: str
    file: str | None
    find: Callable[[ListFile | None], IdFinder]

    def finder(self, user: UserName) -> IdFinder:
        """Read a user's file, if it is one that was named."""
        return self.find(None if self.file is None else read_list(Path(self.file.replace("{user}", user.text))))


@dataclass(frozen=True, slots=True)
class LiveSource:
    """Ids asked of the old server itself."""

    server: OldServer
    credentials: Credentials

    @property
    def name(self) -> str:
        """What it is called."""
        return LIVE

    def finder(self, user: UserName) -> IdFinder:
        """Ask the server for all of a user's ids."""
        return live.ask(self.server, self.credentials, user)


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What may be said of a source beside its name: ``format`` and ``file`` (``FileSource.file``)."""

    format: str | None = None
    file: str | None = None


def source_named(name: str, options: SourceOptions) -> IdSource:
    """Return one of ``SOURCES``.

    Raises:
        ForeignIdsError: there is no such source, an option is missing, or it has no use for one.
    """
    if name not in SOURCES:
        raise ForeignIdsError(f"{name!r}: expected one of {', '.join(SOURCES)}")
    return SOURCES[name](name, options)


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """How an old server that still runs is asked.

    Attributes:
        address: ``HOST`` or ``HOST:PORT``, an IPv6 address in brackets; the port follows from ``security``.
        credentials: the file of passwords (``spool.foreign_ids.credentials``).
        login: the login name, with ``{user}``.
        security: how the connection is protected.
        ca_file: certificates to believe instead of the system's.
        verify: False to believe any certificate.
    """

    address: str
    credentials: Path
    login: str = "{user}"
    security: Security = "stls"
    ca_file: Path | None = None
    verify: bool = True


def live_source(options: LiveOptions) -> LiveSource:
    """Return the source that asks an old server.

    Raises:
        ForeignIdsError: the address is none, or a file cannot be read.
    """
    found = _ADDRESS.fullmatch(options.address)
    if found is None:
        raise ForeignIdsError(f"expected HOST or HOST:PORT, found {options.address!r}")
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ForeignIdsError(f"{options.ca_file}: {error.strerror or error}") from error
    if not options.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    server = OldServer(
        host=found["host"].strip("[]"),
        port=int(found["port"] or PORTS[options.security]),
        security=options.security,
        context=context,
    )
    return LiveSource(server, read_credentials(options.credentials, options.login))


_Maker: TypeAlias = Callable[[str, SourceOptions], IdSource]


def _formula(finders: Mapping[str | None, IdFinder]) -> _Maker:
    def make(name: str, options: SourceOptions) -> IdSource:
        if options.file is not None:
            raise ForeignIdsError(f"{name}: reads no file")
        if options.format not in finders:
            raise ForeignIdsError(f"{name}: has no format {options.format!r}")
        return Formula(name, finders[options.format])

    return make


def _dovecot(name: str, options: SourceOptions) -> IdSource:
    parsed = UidlFormat(options.format or dovecot_format.DEFAULT)
    return FileSource(name, options.file, lambda file: DovecotIds(parsed, file))


def _courier(name: str, options: SourceOptions) -> IdSource:
    _check_no_format(name, options)
    return FileSource(name, options.file, CourierIds)


def _list(name: str, options: SourceOptions) -> IdSource:
    _check_no_format(name, options)
    if options.file is None:
        raise ForeignIdsError(f"{name}: needs a file")

    def find(file: ListFile | None) -> IdFinder:
        assert file is not None  # it was named
        return ListedIds(file)

    return FileSource(name, options.file, find)


def _check_no_format(name: str, options: SourceOptions) -> None:
    if options.format is not None:
        raise ForeignIdsError(f"{name}: the file says it all, there is no format to choose")


SOURCES: Final[Mapping[str, _Maker]] = {
    "courier": _courier,
    "dovecot": _dovecot,
    "list": _list,
    "popa3d": _formula({None: formulas.popa3d}),
    "qmail-pop3d": _formula({None: formulas.base_names}),
    "qpopper": _formula({None: formulas.qpopper, "old-style": formulas.qpopper_old_style}),
    "uw": _formula({None: formulas.uw_ipop3d}),
    "x-uidl": _formula({None: formulas.x_uidl}),
}
