"""Decides who is logged in.

A state machine without sockets, clock or threads: it looks into small files and tables, and hands every check that
takes long to its caller. One request of a client that wants in is an *attempt*; it ends at once, or goes through its
checks one after the other:

    receive ──► answer
       │
       └──► Pending(check) ──► finish(outcome) ──► answer, or Pending(next check)

A name nobody has goes the same way as a user's with a wrong password: the same checks at the same cost, the same
counts, the same answer at the same time (``accounts.attempts``). What else may stand against a login is told only after
the password was right (``accounts.admission``). A worker that vanishes takes its attempts and conversations with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from typing import TypeAlias, assert_never

from accounts.admission import Admission
from accounts.apop_file import digest_fits
from accounts.attempts import Attempt, Attempts, CacheEntry, Pending
from accounts.checks import CheckOutcome, CheckResult, RhostsContent, RhostsNeeded, RhostsUntrusted
from accounts.conversations import Conversations, Waiting
from accounts.credentials import Credentials
from accounts.directory import Directory
from accounts.identification import Claim, identify
from accounts.mechanisms import (
    CLEARTEXT_MECHANISMS,
    DecoyKeys,
    Opening,
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
from spool.errors import SettingsError, SpoolError

Decision: TypeAlias = AuthAnswer | Pending | None
"""An answer to send; a check to make first; or None for a request that has no answer, or whose client is gone."""

_NOBODY = Claim(None, None)


class _ThrottledError(Exception):
    """Ends a SCRAM conversation from within its look-up of keys, with this answer."""

    def __init__(self, answer: Refused) -> None:
        super().__init__(answer.reason)
        self.answer = answer


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
        ticket_key: the key the spawner knows too (``accounts.tickets.KEY_OCTETS``); empty where there is none.
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
        self._attempts = Attempts(settings, policy, self._admission, random_octets)
        self._conversations = Conversations()
        self._decoys = DecoyKeys(random_octets)
        self._known_faults: frozenset[str] = frozenset()

    def offer(self) -> Offer:
        """What can be checked now; ask again from time to time, since files change.

        A file that cannot be used offers nothing, and is reported when it begins to.
        """
        faults: set[str] = set()

        def somebody(asked: Callable[[], object]) -> bool:
            try:
                return bool(asked())
            except SettingsError as error:
                faults.add(str(error))
                return False

        offered = Offer(
            offered_mechanisms(self._settings, certificates=somebody(self._credentials.certificates.anybody)),
            apop=somebody(self._credentials.apop.users) or self._settings.checkpassword_apop,
        )
        for fault in sorted(faults - self._known_faults):
            self._report(fault)
        self._known_faults = frozenset(faults)
        return offered

    def receive(self, client_id: int, request: AuthRequest, now: float) -> Decision:
        """Take one request of a worker."""
        try:
            match request:
                case PasswordRequest(peer, name, password):
                    return self._password(
                        Attempt(client_id, None, peer, _NOBODY, now), PasswordGiven(name, password), now
                    )
                case ApopRequest():
                    return self._apop(client_id, request, now)
                case RpopRequest():
                    return self._rpop(client_id, request, now)
                case SaslBegin():
                    return self._sasl_begin(client_id, request, now)
                case SaslContinue():
                    return self._sasl_continue(client_id, request, now)
                case SaslAbandon(conversation):
                    self._abandon(client_id, conversation)
                case SessionEnded(user, opened):
                    self._admission.ended(client_id, user, opened=opened)
                case _:
                    assert_never(request)
        except SpoolError as error:
            self._report(str(error))
            return Refused(RefusalReason.TEMPORARY)
        return None

    def finish(self, token: int, outcome: CheckOutcome, now: float) -> Decision:
        """Take the outcome of a check; each token is good once, and an unknown one is answered None."""
        attempt = self._attempts.take(token)
        if attempt is None:
            return None
        match outcome:
            case RhostsContent(octets) if attempt.remote is not None:
                right = self._rhosts_allow(attempt, attempt.remote, octets)
            case RhostsUntrusted(fault) if attempt.remote is not None:
                self._report_rpop(attempt, attempt.remote, f"refused: {fault}")
                right = False
            case CheckResult.RIGHT:
                # A home can be read or not; that it was read is no proof of anything.
                right = attempt.remote is None and attempt.claim.record is not None
            case CheckResult.WRONG:
                right = False
            case _:
                right = False
                attempt.unavailable = True
        return self._attempts.proven(attempt, now) if right else self._attempts.proceed(attempt, now)

    def client_gone(self, client_id: int) -> None:
        """A worker is gone, and with it its conversations, its attempts and its sessions."""
        self._admission.worker_gone(client_id)
        self._conversations.worker_gone(client_id)
        self._attempts.drop(lambda attempt: attempt.client_id == client_id)

    # -- a password in the clear ---------------------------------------------------------------------------------------

    def _password(self, attempt: Attempt, given: PasswordGiven, now: float) -> Decision:
        if not self._cleartext_allowed(attempt.peer):
            return self._attempts.failed(attempt, now)
        claim = attempt.claim = identify(self._directory, given.name)
        if refused := self._attempts.throttled(attempt.peer, claim, now):
            return refused
        # Looked for under nobody's name too: that the file cannot be used must not tell who is a user.
        found = () if claim.user is None else self._credentials.passwd.verifiers(claim.user)
        verifiers = () if claim.record is None else found
        if claim.record is not None:
            attempt.cache_entry = CacheEntry(given.password, verifiers)
            if self._must_use_apop(attempt.peer, claim):
                # The checks take as long as any user's, and no outcome lets it in.
                attempt.claim = replace(claim, record=None)
            elif self._attempts.remembered(attempt, now):
                return self._attempts.proven(attempt, now)
        attempt.checks = password_checks(self._settings, claim.user, verifiers, given.password)
        return self._attempts.proceed(attempt, now)

    def _cleartext_allowed(self, peer: Peer) -> bool:
        match self._settings.cleartext:
            case "always":
                return True
            case "loopback":
                return _crosses_no_network(peer)
            case "never":
                return peer.tls
            case _:
                assert_never(self._settings.cleartext)

    def _must_use_apop(self, peer: Peer, claim: Claim) -> bool:
        if not self._settings.apop_only or _crosses_no_network(peer) or claim.user is None:
            return False
        return self._credentials.apop.secret(claim.user) is not None

    # -- APOP ----------------------------------------------------------------------------------------------------------

    def _apop(self, client_id: int, request: ApopRequest, now: float) -> Decision:
        claim = identify(self._directory, request.name)
        if refused := self._attempts.throttled(request.peer, claim, now):
            return refused
        attempt = Attempt(client_id, None, request.peer, claim, now)
        # Looked for, and at the cost of a digest, under nobody's name too.
        secret = None if claim.user is None else self._credentials.apop.secret(claim.user)
        fits = digest_fits(request.digest, request.timestamp, secret or b"")
        if fits and secret is not None and claim.record is not None:
            return self._attempts.proven(attempt, now)
        attempt.checks = apop_checks(self._settings, claim.user, request.digest, request.timestamp)
        return self._attempts.proceed(attempt, now)

    # -- RPOP ----------------------------------------------------------------------------------------------------------

    def _rpop(self, client_id: int, request: RpopRequest, now: float) -> Decision:
        peer = request.peer
        claim = identify(self._directory, request.name)
        if refused := self._attempts.throttled(peer, claim, now):
            return refused
        remote = RemoteAccount(peer.address, request.hosts, request.remote_user)
        attempt = Attempt(client_id, None, peer, claim, now, remote=remote)
        user, record = claim.user, claim.record
        if not self._rpop_trusts(peer):
            self._report_rpop(attempt, remote, "refused: not from a trusted network and port")
        elif user is None or record is None or record.uid < self._policy.uid_min:
            self._report_rpop(attempt, remote, "refused: no such user, or a system account")
        else:
            attempt.checks = (RhostsNeeded(user, record.uid, record.gid, record.home),)
        return self._attempts.proceed(attempt, now)

    def _rpop_trusts(self, peer: Peer) -> bool:
        first, last = self._policy.rpop_ports
        if peer.address == "unix" or not first <= peer.port <= last:
            return False
        address = ip_address(peer.address)
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._policy.rpop_networks)

    def _rhosts_allow(self, attempt: Attempt, remote: RemoteAccount, octets: bytes) -> bool:
        assert attempt.claim.user is not None
        verdict = judge(octets, remote, attempt.claim.user)
        where = "no line of .rhosts matched" if verdict.line is None else f".rhosts line {verdict.line}"
        self._report_rpop(attempt, remote, f"{'granted' if verdict.allowed else 'refused'}: {where}")
        return verdict.allowed

    def _report_rpop(self, attempt: Attempt, remote: RemoteAccount, what: str) -> None:
        peer, user = attempt.peer, attempt.claim.user
        self._report(f"RPOP from {peer.address} port {peer.port}, {remote.user[:64]!r} as {user}: {what}")

    # -- SASL ----------------------------------------------------------------------------------------------------------

    def _sasl_begin(self, client_id: int, request: SaslBegin, now: float) -> Decision:
        peer = request.peer
        if refused := self._attempts.throttled(peer, _NOBODY, now):
            return refused
        attempt = Attempt(client_id, request.conversation, peer, _NOBODY, now)
        offered = self.offer().mechanisms
        allowed = request.mechanism not in CLEARTEXT_MECHANISMS or self._cleartext_allowed(peer)
        if request.mechanism not in offered or not allowed:
            return self._attempts.failed(attempt, now)

        # The time of the begin is good enough: a conversation is short.
        def keys(name: bytes, scheme: str) -> ScramKeys:
            return self._scram_keys(peer, name, scheme, now)

        conversation = open_conversation(Opening(request, offered, self._credentials, keys, self._random_octets))
        if not self._conversations.add((client_id, request.conversation), Waiting(conversation, peer, now)):
            return Refused(RefusalReason.TEMPORARY)
        return self._sasl_step(attempt, request.conversation, lambda: conversation.begin(request.initial), now)

    def _sasl_continue(self, client_id: int, request: SaslContinue, now: float) -> Decision:
        waiting = self._conversations.get((client_id, request.conversation), now)
        if waiting is None:
            return Refused(RefusalReason.TEMPORARY)
        attempt = Attempt(client_id, request.conversation, waiting.peer, _NOBODY, now)
        return self._sasl_step(
            attempt, request.conversation, lambda: waiting.conversation.respond(request.response), now
        )

    def _sasl_step(self, attempt: Attempt, conversation: int, advance: Callable[[], SaslStep], now: float) -> Decision:
        step: SaslStep = Failed()
        try:
            step = advance()
        except _ThrottledError as error:
            return error.answer
        finally:
            if not isinstance(step, Challenge):
                self._conversations.remove((attempt.client_id, conversation))
        match step:
            case Challenge():
                return step
            case PasswordGiven():
                return self._password(attempt, step, now)
            case Proven(name):
                attempt.claim = identify(self._directory, name)
                return self._attempts.proven(attempt, now)
            case Failed(name):
                attempt.claim = identify(self._directory, name)
                return self._attempts.failed(attempt, now)
            case _:
                assert_never(step)

    def _scram_keys(self, peer: Peer, name: bytes, scheme: str, now: float) -> ScramKeys:
        claim = identify(self._directory, name)
        if refused := self._attempts.throttled(peer, claim, now):
            raise _ThrottledError(refused)
        if claim.user is None:
            return self._decoys.of(name, scheme)
        keys = self._credentials.passwd.scram_keys(claim.user, scheme)
        if keys is None or claim.record is None:
            # Under the name a user would be found by: capitals and a domain must not change the salt.
            return self._decoys.of(claim.user.text.encode("ascii"), scheme)
        return keys

    def _abandon(self, client_id: int, conversation: int) -> None:
        self._conversations.remove((client_id, conversation))
        self._attempts.drop(lambda attempt: (attempt.client_id, attempt.conversation) == (client_id, conversation))


def _crosses_no_network(peer: Peer) -> bool:
    return peer.tls or peer.address == "unix" or ip_address(peer.address).is_loopback
