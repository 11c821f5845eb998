"""Settings of what listeners share: ``[service]``, ``[[listener]]``, ``[workers]``, ``[limits]`` and ``[log]``.

Each class checks its own values and raises ``ValueError`` with a text that begins with the key; the reader of
``mailspool.toml`` adds the file and the table.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, TypeAlias

PROTOCOLS: Final = ("pop3", "pop3s", "lmtp")
IMPLICIT_TLS: Final = frozenset({"pop3s"})
LOG_FORMATS: Final = ("text", "json")
LOG_LEVELS: Final = ("debug", "info", "warn", "error", "critical")
WORKERS_MAX: Final = 1024  # a slip of the finger must not fork without end
UNIX_PATH_OCTETS_MAX: Final = 107  # unix(7): sun_path has 108 octets, the last a NUL
_MODE: Final = re.compile(r"0?[0-7]{3}")


@dataclass(frozen=True, slots=True)
class InternetAddress:
    """Where a TCP listener binds: an IPv4 or IPv6 address without brackets; port 0 lets the kernel choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """Where a local listener binds: the path of its socket."""

    path: Path

    def __str__(self) -> str:
        return f"unix:{self.path}"


SocketAddress: TypeAlias = InternetAddress | UnixAddress


def parse_address(text: str) -> SocketAddress:
    """Take apart ``127.0.0.1:110``, ``[::1]:995`` or ``unix:/absolute/path``.

    Host names are not taken: what a name resolves to may change between two starts, and resolving may hang.

    Raises:
        ValueError: none of these forms.
    """
    if text.startswith("unix:"):
        path = Path(text.removeprefix("unix:"))
        if not path.is_absolute() or len(bytes(path)) > UNIX_PATH_OCTETS_MAX:
            raise ValueError(
                f"expected an absolute path of at most {UNIX_PATH_OCTETS_MAX} octets after unix:, found {text!r}"
            )
        return UnixAddress(path)
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(f"expected ADDRESS:PORT, [ADDRESS]:PORT or unix:/path, found {text!r}")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        parsed = ipaddress.ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        raise ValueError(f"expected an IPv4 address or an IPv6 address in brackets, found {host!r}") from None
    if bracketed is not (parsed.version == 6):
        raise ValueError(f"expected brackets around an IPv6 address and around no other, found {host!r}")
    return InternetAddress(str(parsed), int(port))


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """Who the service is and where it keeps what is not mail.

    ``user`` and ``group`` default to the owner of the spool root. No process becomes a uid below ``uid_min``, whatever
    ``assign`` says.
    """

    user: str | None = None
    group: str | None = None
    runtime_directory: Path | None = None
    uid_min: int = 100

    def __post_init__(self) -> None:
        _at_least(self, 1, "uid_min")


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """One listening socket.

    ``certificate`` (PEM, the chain included) and ``key`` enable TLS; ``client_ca`` asks clients for a certificate and
    believes those its authorities signed. A UNIX socket has ``socket_mode``, octal, and ``socket_group``; whoever may
    write it may connect.
    """

    protocol: str
    address: str
    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    socket_mode: str = "0666"
    socket_group: str | None = None

    def __post_init__(self) -> None:
        _one_of("protocol", self.protocol, PROTOCOLS)
        try:
            parse_address(self.address)
        except ValueError as error:
            raise ValueError(f"address: {error}") from None
        if not _MODE.fullmatch(self.socket_mode):
            raise ValueError(f"socket_mode: expected an octal mode such as 0660, found {self.socket_mode!r}")
        if (self.certificate is None) is not (self.key is None):
            raise ValueError("certificate: certificate and key must be given together")
        if self.certificate is None and self.implicit_tls:
            raise ValueError(f"certificate: {self.protocol} needs certificate and key")
        if self.certificate is None and self.client_ca is not None:
            raise ValueError("client_ca: needs certificate and key")

    @property
    def implicit_tls(self) -> bool:
        """Whether the connection begins with the TLS handshake (RFC 8314)."""
        return self.protocol in IMPLICIT_TLS

    @property
    def socket_address(self) -> SocketAddress:
        """``address``, taken apart."""
        return parse_address(self.address)

    @property
    def mode(self) -> int:
        """``socket_mode`` as a number."""
        return int(self.socket_mode, 8)


@dataclass(frozen=True, slots=True)
class WorkersSettings:
    """The network workers. ``count`` 0 means one per core this process may use.

    A worker that is told to stop takes no new connections and gives the open ones ``drain_seconds`` to end.
    """

    count: int = 0
    drain_seconds: float = 30.0

    def __post_init__(self) -> None:
        _at_least(self, 0, "count", "drain_seconds")
        if self.count > WORKERS_MAX:
            raise ValueError(f"count: expected at most {WORKERS_MAX}, found {self.count}")


@dataclass(frozen=True, slots=True)
class LimitsSettings:
    """What one peer, one user and one file system may occupy.

    ``connections`` None means as many as the kernel's limit on open files has room for, up to 10,000.
    ``connections``, ``connections_per_address`` and everything from ``operations_per_user`` on count within one worker
    process; ``connections_per_user`` and ``failures_per_address`` over the whole site, where 0 means no limit. An IPv6
    address counts as its /64 network.

    An *operation* is one piece of blocking maildrop work in a thread. One that is out for ``operation_seconds`` is
    reported as failed to its session, and is *stuck* until its thread returns (``serving.admission`` has the rules):

    * ``operations_per_user``: at most so many of one user's at once;
    * ``operations_per_file_system``: so many run at once; further ones wait while these keep finishing;
    * ``stuck_per_file_system``: after so many stuck without any finishing, only a probe every ``probe_seconds``;
    * ``threads``: so many run at once in all;
    * ``stuck_threads``: at so many stuck the worker is replaced.

    ``kept_snapshot_octets`` bounds what one worker, or one mail process, remembers of mailboxes between sessions
    (``spool.kept_snapshots``), in octets of memory; 0 remembers nothing.
    """

    connections: int | None = None
    connections_per_address: int = 200
    connections_per_user: int = 20
    failures_per_address: int = 20
    operations_per_user: int = 2
    operations_per_file_system: int = 16
    operation_seconds: float = 20.0
    stuck_per_file_system: int = 4
    probe_seconds: float = 15.0
    threads: int = 256
    stuck_threads: int = 128
    kept_snapshot_octets: int = 32 * 1024 * 1024

    def __post_init__(self) -> None:
        may_be_none = {"connections_per_user", "failures_per_address", "kept_snapshot_octets"}
        _at_least(self, 0, *may_be_none)
        given = {field.name for field in fields(self) if getattr(self, field.name) is not None}
        _at_least(self, 1, *sorted(given - may_be_none))
        if self.stuck_threads > self.threads:
            raise ValueError(f"stuck_threads: expected at most threads ({self.threads}), found {self.stuck_threads}")


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How events are written to stderr: ``format`` text or JSON lines, from ``level`` upwards."""

    format: str = "text"
    level: str = "info"

    def __post_init__(self) -> None:
        _one_of("format", self.format, LOG_FORMATS)
        _one_of("level", self.level, LOG_LEVELS)


def check_listeners(listeners: Sequence[ListenerSettings]) -> None:
    """Check that no two listeners are for one address; port 0, any free one, is another each time.

    Raises:
        ValueError: two are, or cannot be told apart.
    """
    seen: dict[SocketAddress, set[str]] = {}
    for listener in listeners:
        address = listener.socket_address
        protocols = seen.setdefault(address, set())
        if isinstance(address, InternetAddress) and address.port == 0:
            if listener.protocol in protocols:
                raise ValueError(f"address: two {listener.protocol} listeners have {address}")
        elif protocols:
            raise ValueError(f"address: two listeners have {address}")
        protocols.add(listener.protocol)


def _at_least(settings: object, minimum: int, *names: str) -> None:
    for name in names:
        # `not >=`, so that NaN, which TOML can spell, does not pass.
        if not (value := getattr(settings, name)) >= minimum:
            raise ValueError(f"{name}: expected at least {minimum}, found {value}")


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}, found {value!r}")
