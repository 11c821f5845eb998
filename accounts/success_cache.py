"""Remembers right passwords for a short time, so that a client which polls does not cost a slow hash each time.

What is kept is a keyed digest over user, password and the user's verifiers, under a key that never leaves this process:
of no use to whoever reads the memory of another process or a dump of this one without the key. It no longer fits as
soon as the user's lines in ``control/passwd`` change. A password changed elsewhere (PAM, checkpassword) is accepted
until its entry expires.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from accounts.bounded_table import BoundedTable
from spool.names import UserName

ENTRIES_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class _Entry:
    digest: bytes = field(repr=False)
    expires: float


class SuccessCache:
    """One entry a user. ``now`` is in seconds of a clock that never goes back."""

    def __init__(self, random_octets: Callable[[int], bytes], entries_max: int = ENTRIES_MAX) -> None:
        self._key = random_octets(32)
        self._entries: BoundedTable[UserName, _Entry] = BoundedTable(entries_max)

    def remember(self, user: UserName, password: bytes, verifiers: Sequence[str], expires: float) -> None:
        """Note a password that was checked and found right."""
        self._entries.put(user, _Entry(self._digest(user, password, verifiers), expires))

    def knows(self, user: UserName, password: bytes, verifiers: Sequence[str], now: float) -> bool:
        """Whether this password was found right with these verifiers, and has not expired."""
        entry = self._entries.get(user)
        if entry is None or now >= entry.expires:
            return False
        return hmac.compare_digest(entry.digest, self._digest(user, password, verifiers))

    def _digest(self, user: UserName, password: bytes, verifiers: Sequence[str]) -> bytes:
        digest = hashlib.blake2b(key=self._key, digest_size=32)
        for part in (
            user.text.encode(),
            password,
            *(verifier.encode("utf-8", "surrogateescape") for verifier in verifiers),
        ):
            # With its length, so that no two lists of parts look the same.
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.digest()
