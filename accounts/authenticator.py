"""Decides who is logged in.

A state machine without sockets, clock or threads: it looks into small files and tables, and hands every check that takes
long to its caller. An *attempt* is one request of a client that wants in. It ends at once, or goes through its checks
one after the other:

    receive ──► answer
       │
       └──► Pending(check) ──► finish(outcome) ──► answer, or Pending(next check)

An attempt that fails is answered ``failure_delay_seconds`` after it came, however long its checks took, and longer for
an address that keeps failing. A name nobody has goes the same way as a user's with a wrong password: the same checks at
the same cost, the same counts, the same answer. What else may stand against a login is told only after the password was
right (``accounts.admission``). A worker that vanishes takes its attempts and conversations with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, TypeAlias

from accounts.admission import Admission
from accounts.apop_file import digest_fits
from accounts.checks import Check, CheckOutcome, CheckResult, RhostsContent, RhostsNeeded
from accounts.conversations import Conversations, Waiting
from accounts.credentials import Credentials
from accounts.directory import Directory
from accounts.identification import Claim, identify
from accounts.mechanisms import (
    CLEARTEXT_MECHANISMS,
    DecoyKeys,
    Opening,
    certificate_user,
    offered_mechanisms,
    open_conversation,
)
from accounts.password_sources import apop_checks, password_checks
from accounts.requests import (
    ApopRequest,
    AuthAnswer,
    AuthRequest,
    Challenge,
    Offer,
    PasswordRequest,
    Peer,
    RefusalReason,
    Refused,
    RpopRequest,
    SaslAbandon,
    SaslBegin,
    SaslContinue,
    SessionEnded,
)
from accounts.rhosts import RemoteAccount, judge
from accounts.sasl.steps import Failed, PasswordGiven, Proven, SaslStep
from accounts.schemes.scram_keys import ScramKeys
from accounts.settings import AuthSettings, LoginPolicy
from accounts.success_cache import SuccessCache
from accounts.throttle import Throttle
from spool.errors import SettingsError, SpoolError

PENDING_MAX: Final = 20_000


@dataclass(frozen=True, slots=True)
class Pending:
    """Carry out ``check`` and give its outcome to ``Authenticator.finish`` under ``token``."""

    token: int
    check: Check


Decision: TypeAlias = AuthAnswer | Pending | None
"""An answer to send; a check to make first; or None for a request that has no answer, or whose client is gone."""


@dataclass(frozen=True, slots=True)
class _CacheEntry:
    """What to remember should the password turn out right."""

    password: bytes = field(repr=False)
    verifiers: tuple[str, ...] = field(repr=False)


@dataclass(slots=True)
class _Attempt:
    """One request that wants in.

    ``claim`` is whom it may become: without a record, no outcome of a check helps it. ``checks`` are still to be made.
    """

    client_id: int
    conversation: int | None
    peer: Peer
    claim: Claim
    began: float
    checks: tuple[Check, ...] = ()
    unavailable: bool = False
    cache_entry: _CacheEntry | None = None
    remote: RemoteAccount | None = None


class _RefusedError(Exception):
    """Ends a SCRAM conversation from within its look-up of keys."""

    def __init__(self, reason: RefusalReason) -> None:
        super().__init__(reason)
        self.reason = reason


class Authenticator:
    """The decision engine of one site.

    ``now`` is always in seconds of one clock that never goes back and that the spawner shares. ``client_id`` names one
    worker's connection to the authenticator and is not used again for another.

    Args:
        settings: ``[auth]``.
        policy: what other tables say about logins.
        directory: the users.
        credentials: their passwords and secrets.
        service_uid: the uid whose mail workers serve themselves; others get a ticket for the spawner.
        ticket_key: the key the spawner knows too (``accounts.tickets.KEY_OCTETS``).
        random_octets: gives that many unpredictable octets.
        report: takes lines for the operator: files that cannot be used, and each decision on RPOP.
    """

    def __init__(
        self,
        *,
        settings: AuthSettings,
        policy: LoginPolicy,
        directory: Directory,
        credentials: Credentials,
        service_uid: int,
        ticket_key: bytes,
        random_octets: Callable[[int], bytes] = os.urandom,
        report: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._settings = settings
        self._policy = policy
        self._directory = directory
        self._credentials = credentials
        self._random_octets = random_octets
        self._report = report
        self._admission = Admission(service_uid, ticket_key, random_octets)
        self._throttle = Throttle()
        self._cache = SuccessCache(random_octets)
        self._conversations = Conversations()
        self._decoys = DecoyKeys(random_octets)
        self._attempts: dict[int, _Attempt] = {}
        self._last_token = 0

    def reload(self, settings: AuthSettings, policy: LoginPolicy) -> None:
        """Go on with new settings. Failures, sessions and conversations are kept, remembered passwords are not."""
        self._settings = settings
        self._policy = policy
        self._cache.forget()

    def offer(self) -> Offer:
        """What can be checked now; ask again from time to time, since files change."""
        return Offer(
            offered_mechanisms(self._settings, certificates=self._somebody(self._credentials.certificates.anybody)),
            apop=self._settings.checkpassword_apop or self._somebody(lambda: bool(self._credentials.apop.users())),
        )

    def receive(self, client_id: int, request: AuthRequest, now: float) -> Decision:
        """Take one request of a worker."""
        match request:
            case SessionEnded(user):
                self._admission.sessions.ended(client_id, user)
                return None
            case SaslAbandon(conversation):
                self._abandon(client_id, conversation)
                return None
            case _:
                pass
        try:
            match request:
                case PasswordRequest(peer, name, password):
                    return self._password(client_id, None, peer, PasswordGiven(name, password), now)
                case ApopRequest():
                    return self._apop(client_id, request, now)
                case RpopRequest():
                    return self._rpop(client_id, request, now)
                case SaslBegin():
                    return self._sasl_begin(client_id, request, now)
                case SaslContinue(conversation, response):
                    return self._sasl_continue(client_id, conversation, response, now)
        except SpoolError as error:
            self._report(str(error))
            return Refused(RefusalReason.TEMPORARY)

    def finish(self, token: int, outcome: CheckOutcome, now: float) -> Decision:
        """Take the outcome of a check; each token is good once, and an unknown one is answered None."""
        attempt = self._attempts.pop(token, None)
        if attempt is None:
            return None
        match outcome:
            case RhostsContent(octets) if attempt.remote is not None:
                right = self._rhosts_allow(attempt, attempt.remote, octets)
            case CheckResult.RIGHT:
                right = True
            case CheckResult.WRONG:
                right = False
            case _:
                right = False
                attempt.unavailable = True
        return self._proven(attempt, now) if right and attempt.claim.record is not None else self._next(attempt, now)

    def client_gone(self, client_id: int) -> None:
        """A worker is gone, and with it its conversations, its attempts and its sessions."""
        self._admission.sessions.worker_gone(client_id)
        self._conversations.worker_gone(client_id)
        self._drop_attempts(lambda attempt: attempt.client_id == client_id)

    # -- the ways in: each ends in _proven, in _next, or in a refusal ---------------------------------------------------

    def _password(
        self, client_id: int, conversation: int | None, peer: Peer, given: PasswordGiven, now: float
    ) -> Decision:
        if not self._cleartext_allowed(peer):
            return self._failed(_Attempt(client_id, conversation, peer, Claim(None, None), now), now)
        claim = identify(self._directory, given.name)
        if self._throttled(peer, claim, now):
            return self._throttled_answer()
        attempt = _Attempt(client_id, conversation, peer, claim, now)
        verifiers: tuple[str, ...] = ()
        if claim.user is not None and claim.record is not None:
            verifiers = self._credentials.passwd.verifiers(claim.user)
            if self._must_use_apop(peer, claim):
                # It takes as long as any other, and no password is right.
                attempt.claim = Claim(claim.user, None)
            elif self._cache.knows(claim.user, given.password, verifiers, now):
                return self._proven(attempt, now)
            attempt.cache_entry = _CacheEntry(given.password, verifiers)
        attempt.checks = password_checks(self._settings, claim.user, verifiers, given.password)
        return self._next(attempt, now)

    def _apop(self, client_id: int, request: ApopRequest, now: float) -> Decision:
        claim = identify(self._directory, request.name)
        if self._throttled(request.peer, claim, now):
            return self._throttled_answer()
        attempt = _Attempt(client_id, None, request.peer, claim, now)
        known = claim.user is not None and claim.record is not None
        secret = self._credentials.apop.secret(claim.user) if known and claim.user is not None else None
        # Somebody without a secret costs a digest as well.
        fits = digest_fits(request.digest, request.timestamp, b"" if secret is None else secret)
        if fits and secret is not None:
            return self._proven(attempt, now)
        attempt.checks = apop_checks(self._settings, claim.user, request.digest, request.timestamp)
        return self._next(attempt, now)

    def _rpop(self, client_id: int, request: RpopRequest, now: float) -> Decision:
        peer = request.peer
        claim = identify(self._directory, request.name)
        if self._throttled(peer, claim, now):
            return self._throttled_answer()
        attempt = _Attempt(client_id, None, peer, claim, now)
        first, last = self._policy.rpop_ports
        if not (first <= peer.port <= last and self._rpop_trusts(peer)):
            self._report_rpop(attempt, request.remote_user, "refused: not from a trusted network and port")
            return self._failed(attempt, now)
        user, record = claim.user, claim.record
        if user is None or record is None or record.uid < self._settings.uid_min:
            self._report_rpop(attempt, request.remote_user, "refused: no such user, or a system account")
            return self._failed(attempt, now)
        attempt.remote = RemoteAccount(peer.address, request.hosts, request.remote_user)
        attempt.checks = (RhostsNeeded(user, record.uid, record.gid, record.home),)
        return self._next(attempt, now)

    def _sasl_begin(self, client_id: int, request: SaslBegin, now: float) -> Decision:
        nobody = Claim(None, None)
        attempt = _Attempt(client_id, request.conversation, request.peer, nobody, now)
        if self._throttled(request.peer, nobody, now):
            return self._throttled_answer()
        offered = self.offer().mechanisms
        allowed = request.mechanism not in CLEARTEXT_MECHANISMS or self._cleartext_allowed(request.peer)
        if request.mechanism not in offered or not allowed:
            return self._failed(attempt, now)
        user = certificate_user(self._credentials, request)

        def keys(name: bytes, scheme: str) -> ScramKeys:
            return self._scram_keys(request.peer, name, scheme, now)

        conversation = open_conversation(Opening(request, offered, user, keys, self._random_octets))
        if not self._conversations.add((client_id, request.conversation), Waiting(conversation, request.peer, now)):
            return Refused(RefusalReason.TEMPORARY)
        return self._sasl_step(attempt, lambda: conversation.begin(request.initial), now)

    def _sasl_continue(self, client_id: int, number: int, response: bytes, now: float) -> Decision:
        waiting = self._conversations.get((client_id, number), now)
        if waiting is None:
            return Refused(RefusalReason.TEMPORARY)
        attempt = _Attempt(client_id, number, waiting.peer, Claim(None, None), now)
        return self._sasl_step(attempt, lambda: waiting.conversation.respond(response), now)

    def _sasl_step(self, attempt: _Attempt, go: Callable[[], SaslStep], now: float) -> Decision:
        step: SaslStep = Failed()
        try:
            step = go()
        except _RefusedError as refusal:
            return Refused(refusal.reason, self._settings.failure_delay_seconds)
        finally:
            if not isinstance(step, Challenge) and attempt.conversation is not None:
                self._conversations.remove((attempt.client_id, attempt.conversation))
        match step:
            case Challenge():
                return step
            case PasswordGiven():
                return self._password(attempt.client_id, attempt.conversation, attempt.peer, step, now)
            case Proven(name):
                attempt.claim = identify(self._directory, name)
                return self._proven(attempt, now) if attempt.claim.record is not None else self._failed(attempt, now)
            case Failed(name):
                attempt.claim = Claim(identify(self._directory, name).user, None)
                return self._failed(attempt, now)

    def _scram_keys(self, peer: Peer, name: bytes, scheme: str, now: float) -> ScramKeys:
        claim = identify(self._directory, name)
        if self._throttled(peer, claim, now):
            raise _RefusedError(RefusalReason.THROTTLED)
        keys = None
        if claim.user is not None and claim.record is not None:
            keys = self._credentials.passwd.scram_keys(claim.user, scheme)
        # By the name a user would be found under: upper case and domains make no other salt.
        return keys or self._decoys.of(name if claim.user is None else claim.user.text.encode("ascii"), scheme)

    # -- how attempts go on and end ------------------------------------------------------------------------------------

    def _next(self, attempt: _Attempt, now: float) -> Decision:
        if not attempt.checks:
            return Refused(RefusalReason.TEMPORARY) if attempt.unavailable else self._failed(attempt, now)
        if len(self._attempts) >= PENDING_MAX:
            return Refused(RefusalReason.TEMPORARY)
        check, *rest = attempt.checks
        attempt.checks = tuple(rest)
        self._last_token += 1
        self._attempts[self._last_token] = attempt
        return Pending(self._last_token, check)

    def _failed(self, attempt: _Attempt, now: float) -> Refused:
        user = attempt.claim.user
        self._throttle.failed(attempt.peer.address, None if user is None else user.text, now)
        delay = self._settings.failure_delay_seconds * self._throttle.back_off(attempt.peer.address, now)
        return Refused(RefusalReason.CREDENTIALS, max(0.0, delay - (now - attempt.began)))

    def _proven(self, attempt: _Attempt, now: float) -> AuthAnswer:
        user, record = attempt.claim.user, attempt.claim.record
        assert user is not None
        assert record is not None
        self._throttle.succeeded(attempt.peer.address, user.text)
        entry = attempt.cache_entry
        if entry is not None and self._settings.cache_seconds > 0:
            self._cache.remember(user, entry.password, entry.verifiers, now + self._settings.cache_seconds)
        admitted = self._admission.admit(attempt.client_id, user, record, self._settings, self._policy, now)
        return Refused(admitted) if isinstance(admitted, RefusalReason) else admitted

    def _abandon(self, client_id: int, conversation: int) -> None:
        self._conversations.remove((client_id, conversation))
        self._drop_attempts(lambda attempt: (attempt.client_id, attempt.conversation) == (client_id, conversation))

    def _drop_attempts(self, belongs: Callable[[_Attempt], bool]) -> None:
        for token in [token for token, attempt in self._attempts.items() if belongs(attempt)]:
            del self._attempts[token]

    # -- rules ---------------------------------------------------------------------------------------------------------

    def _cleartext_allowed(self, peer: Peer) -> bool:
        match self._settings.cleartext:
            case "always":
                return True
            case "loopback":
                return _crosses_no_network(peer)
            case "never":
                return peer.tls

    def _must_use_apop(self, peer: Peer, claim: Claim) -> bool:
        if not self._settings.apop_only or _crosses_no_network(peer) or claim.user is None:
            return False
        return self._credentials.apop.secret(claim.user) is not None

    def _throttled(self, peer: Peer, claim: Claim, now: float) -> bool:
        if self._throttle.address_blocked(peer.address, self._policy.failures_per_address, now):
            return True
        return claim.user is not None and self._throttle.user_blocked(claim.user.text, peer.address, now)

    def _throttled_answer(self) -> Refused:
        return Refused(RefusalReason.THROTTLED, self._settings.failure_delay_seconds)

    def _rpop_trusts(self, peer: Peer) -> bool:
        if peer.address == "unix":
            return False
        address = ip_address(peer.address)
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._policy.rpop_networks)

    def _rhosts_allow(self, attempt: _Attempt, remote: RemoteAccount, octets: bytes) -> bool:
        assert attempt.claim.user is not None
        verdict = judge(octets, remote, attempt.claim.user)
        where = "no line matched" if verdict.line is None else f"line {verdict.line}"
        self._report_rpop(attempt, remote.user, f"{'granted' if verdict.allowed else 'refused'}: {where}")
        return verdict.allowed

    def _report_rpop(self, attempt: _Attempt, remote_user: bytes, what: str) -> None:
        peer = attempt.peer
        self._report(f"RPOP {peer.address}:{peer.port} {remote_user[:64]!r} as {attempt.claim.user}: {what}")

    def _somebody(self, ask: Callable[[], bool]) -> bool:
        try:
            return ask()
        except SettingsError as error:
            self._report(str(error))
            return False


def _crosses_no_network(peer: Peer) -> bool:
    return peer.tls or peer.address == "unix" or ip_address(peer.address).is_loopback
