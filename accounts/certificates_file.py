"""``control/certificates``: which user a client certificate stands for.

Lines ``type:value:user``. The types are those of ``accounts.requests.SaslBegin.certificate_names``: ``email``, ``dns``,
``subject`` (the RFC 4514 string, compared as it is) and ``sha256`` (the fingerprint, colons allowed). A certificate
without a line, or with lines of two different users, stands for nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from accounts.watched_file import TRUSTED, WatchedFile
from spool.errors import MalformedNameError, SettingsError
from spool.names import UserName


def _fingerprint(value: str) -> str:
    return value.replace(":", "").lower()


_NORMAL_FORMS: Final[Mapping[str, Callable[[str], str]]] = {
    "email": str.lower,
    "dns": str.lower,
    "subject": str,
    "sha256": _fingerprint,
}


class CertificatesFile:
    """The mapping of a site, read again whenever the file changes."""

    def __init__(self, path: Path) -> None:
        self._watched = WatchedFile(path, _parse, forbidden_mode=TRUSTED)

    def user_of(self, certificate_names: Iterable[str]) -> UserName | None:
        """The one user that all mapped names of a certificate agree on; None if there is none, or more than one.

        Raises:
            SettingsError: the file cannot be used now.
        """
        mapping = self._watched.content()
        users = {user for name in certificate_names for user in mapping.get(_normal(name), ())}
        return users.pop() if len(users) == 1 else None

    def anybody(self) -> bool:
        """Whether any certificate is mapped.

        Raises:
            SettingsError: the file cannot be used now.
        """
        return bool(self._watched.content())


def _normal(name: str) -> tuple[str, str]:
    kind, _, value = name.partition(":")
    return kind, _NORMAL_FORMS.get(kind, str)(value)


def _parse(path: Path, octets: bytes) -> Mapping[tuple[str, str], frozenset[UserName]]:
    mapping: dict[tuple[str, str], frozenset[UserName]] = {}
    for number, raw in enumerate(octets.split(b"\n"), start=1):
        try:
            line = raw.decode("utf-8").strip()
            if not line or line.startswith("#"):
                continue
            # The value may hold colons, a user name may not.
            name, _, user = line.rpartition(":")
            kind, value = _normal(name)
            if kind not in _NORMAL_FORMS or not value:
                raise SettingsError(
                    f"{path}: line {number}: expected type:value:user, the type one of {', '.join(_NORMAL_FORMS)}"
                )
            mapping[kind, value] = mapping.get((kind, value), frozenset()) | {UserName(user)}
        except (UnicodeDecodeError, MalformedNameError) as error:
            raise SettingsError(f"{path}: line {number}: expected type:value:user") from error
    return mapping
