"""The log of POP3 sessions: one line an event, with the peer, and with the same facts as structured fields.

``login failed: peer=… user=… reason=…`` is what a log watcher such as fail2ban acts on. No event carries a credential
or a piece of a message. What a peer chose itself is escaped, so that it can neither begin a line nor look like a field.
"""

from __future__ import annotations

from twisted.logger import Logger
from twisted.python.failure import Failure

from accounts.requests import Peer
from popd.server.counters import SessionCounters
from serving.log_text import shown
from spool.names import UserName


class SessionLog:
    """Writes the events of one connection."""

    __slots__ = ("_log", "_peer", "_tls")

    def __init__(self, log: Logger, peer: Peer) -> None:
        self._log = log
        self._peer = f"{peer.address}:{peer.port}"
        self._tls = "none"

    def turned_away(self) -> None:
        """The address has too many connections."""
        self._log.warn("turned away: peer={peer}", peer=self._peer)

    def tls_started(self, description: str) -> None:
        """The handshake is over."""
        self._tls = description.replace(" ", "/")
        self._log.debug("tls started: peer={peer} tls={tls}", peer=self._peer, tls=self._tls)

    def injection(self, octets: int) -> None:
        """A peer sent octets in the clear after STLS, to be read after the handshake (CVE-2011-0411)."""
        self._log.warn("octets in the clear after STLS: peer={peer} octets={octets}", peer=self._peer, octets=octets)

    def rpop(self, name: bytes, remote_user: bytes, decision: str) -> None:
        """What the network's part of RPOP came to: host names, or the condition that failed."""
        self._log.info(
            "rpop: peer={peer} user={user} remote_user={remote_user} decision={decision}",
            peer=self._peer,
            user=shown(name),
            remote_user=shown(remote_user),
            decision=decision,
        )

    def login_failed(self, name: bytes, method: str, reason: str) -> None:
        """A login was refused. ``name`` is empty where a SASL client told none that could be a user's."""
        self._log.info(
            "login failed: peer={peer} user={user} method={method} reason={reason} tls={tls}",
            peer=self._peer,
            user=shown(name),
            method=method,
            reason=reason,
            tls=self._tls,
        )

    def logged_in(self, user: UserName, method: str, messages: int) -> None:
        """A maildrop was opened."""
        self._log.info(
            "login: peer={peer} user={user} method={method} messages={messages} tls={tls}",
            peer=self._peer,
            user=user.text,
            method=method,
            messages=messages,
            tls=self._tls,
        )

    def submitted(self, user: UserName, octets: int, outcome: str) -> None:
        """A message of XTND XMIT was handed over, or was not."""
        self._log.info(
            "submission: peer={peer} user={user} octets={octets} outcome={outcome}",
            peer=self._peer,
            user=user.text,
            octets=octets,
            outcome=outcome,
        )

    def request_failed(self, user: UserName | None, error: BaseException) -> None:
        """The spool could not do something; the peer got the public half of it."""
        self._log.warn(
            "request failed: peer={peer} user={user} error={error}",
            peer=self._peer,
            user=user.text if user else "-",
            error=f"{type(error).__name__}: {error}",
        )

    def broken(self, failure: Failure) -> None:
        """Something happened that nobody thought of."""
        self._log.failure("bug in a session: peer={peer}", failure, peer=self._peer)

    def ended(self, user: UserName | None, counts: SessionCounters, reason: str) -> None:
        """The connection is over; a connection without a login is worth less of the log."""
        write = self._log.info if user else self._log.debug
        write(
            "ended: peer={peer} user={user} retrieved={retrieved} deleted={deleted} octets={octets} reason={reason}",
            peer=self._peer,
            user=user.text if user else "-",
            retrieved=counts.retrieved,
            deleted=counts.deleted,
            octets=counts.octets_sent,
            reason=reason,
        )
