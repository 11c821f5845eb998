"""Attempts to log in: how they go from check to check, and what becomes of those that fail or succeed.

An attempt that fails is counted against its address and the name it used, and answered ``failure_delay_seconds`` after
it came, however long its checks took; longer for an address that keeps failing. One that succeeds is remembered, so
that the next needs no slow hash, and then has to be admitted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from accounts.admission import Admission
from accounts.checks import Check
from accounts.identification import Claim
from accounts.requests import AuthAnswer, Peer, RefusalReason, Refused
from accounts.rhosts import RemoteAccount
from accounts.settings import AuthSettings, LoginPolicy
from accounts.success_cache import SuccessCache
from accounts.throttle import Throttle

PENDING_MAX: Final = 20_000


@dataclass(frozen=True, slots=True)
class Pending:
    """Carry out ``check`` and give its outcome to ``Authenticator.finish`` under ``token``."""

    token: int
    check: Check


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """What to remember should the password turn out right."""

    password: bytes = field(repr=False)
    verifiers: tuple[str, ...] = field(repr=False)


@dataclass(slots=True)
class Attempt:
    """One request that wants in.

    ``claim`` is whom it may become: without a record, no outcome of a check helps it. ``checks`` are still to be made;
    ``unavailable`` when one of them could not be. ``remote`` is who asks by RPOP.
    """

    client_id: int
    conversation: int | None
    peer: Peer
    claim: Claim
    began: float
    checks: tuple[Check, ...] = ()
    unavailable: bool = False
    cache_entry: CacheEntry | None = None
    remote: RemoteAccount | None = None


class Attempts:
    """The attempts of one authenticator, and the counts and memories they leave behind."""

    def __init__(
        self,
        settings: AuthSettings,
        policy: LoginPolicy,
        admission: Admission,
        random_octets: Callable[[int], bytes],
        *,
        pending_max: int = PENDING_MAX,
    ) -> None:
        self._settings = settings
        self._policy = policy
        self._admission = admission
        self._throttle = Throttle()
        self._cache = SuccessCache(random_octets)
        self._pending_max = pending_max
        self._pending: dict[int, Attempt] = {}
        self._last_token = 0

    def throttled(self, peer: Peer, claim: Claim, now: float) -> Refused | None:
        """The answer for an address or a name with too many failures, before anything is checked."""
        blocked = self._throttle.address_blocked(peer.address, self._policy.failures_per_address, now) or (
            claim.user is not None and self._throttle.user_blocked(claim.user.text, peer.address, now)
        )
        return Refused(RefusalReason.THROTTLED, self._settings.failure_delay_seconds, claim.user) if blocked else None

    def remembered(self, attempt: Attempt, now: float) -> bool:
        """Whether this user's password was found right not long ago."""
        user, entry = attempt.claim.user, attempt.cache_entry
        return user is not None and entry is not None and self._cache.knows(user, entry.password, entry.verifiers, now)

    def proceed(self, attempt: Attempt, now: float) -> Pending | Refused:
        """Make the attempt's next check; without one left, it has failed."""
        if not attempt.checks and not attempt.unavailable:
            return self.failed(attempt, now)
        if not attempt.checks or len(self._pending) >= self._pending_max:
            return Refused(RefusalReason.TEMPORARY, user=attempt.claim.user)
        check, *rest = attempt.checks
        attempt.checks = tuple(rest)
        self._last_token += 1
        self._pending[self._last_token] = attempt
        return Pending(self._last_token, check)

    def take(self, token: int) -> Attempt | None:
        """The attempt whose check is done; None if nobody waits for it any more."""
        return self._pending.pop(token, None)

    def drop(self, belongs: Callable[[Attempt], bool]) -> None:
        """Forget attempts nobody waits for any more."""
        for token in [token for token, attempt in self._pending.items() if belongs(attempt)]:
            del self._pending[token]

    def failed(self, attempt: Attempt, now: float) -> Refused:
        """Count a failure and say when to answer it."""
        user, address = attempt.claim.user, attempt.peer.address
        self._throttle.failed(address, None if user is None else user.text, now)
        delay = self._settings.failure_delay_seconds * self._throttle.back_off(address, now)
        return Refused(RefusalReason.CREDENTIALS, max(0.0, delay - (now - attempt.began)), user)

    def proven(self, attempt: Attempt, now: float) -> AuthAnswer:
        """Remember a success and admit the user; an attempt that claims nobody we know has failed all the same."""
        user, record = attempt.claim.user, attempt.claim.record
        if user is None or record is None:
            return self.failed(attempt, now)
        self._throttle.succeeded(attempt.peer.address, user.text)
        entry = attempt.cache_entry
        if entry is not None and self._settings.cache_seconds > 0:
            self._cache.remember(user, entry.password, entry.verifiers, now + self._settings.cache_seconds)
        admitted = self._admission.admit(attempt.client_id, user, record, self._policy, now)
        return Refused(admitted, user=user) if isinstance(admitted, RefusalReason) else admitted
