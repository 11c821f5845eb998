"""Counts of the POP3 service in one worker, for ``mailspool status``, and of one session, for its last log line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class ServiceCounters:
    """What this worker has done since its start. ``octets_sent`` counts the whole replies to RETR and TOP."""

    connections: int = 0
    connections_open: int = 0
    connections_turned_away: int = 0
    logins: int = 0
    login_failures: int = 0
    messages_sent: int = 0
    octets_sent: int = 0
    messages_deleted: int = 0


@dataclass(slots=True)
class SessionCounters:
    """What one session did: messages retrieved whole and removed at UPDATE, octets of the replies to RETR and TOP."""

    retrieved: int = 0
    deleted: int = 0
    octets_sent: int = 0
