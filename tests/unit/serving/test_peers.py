"""Tests of ``serving.peers``: who is at the other end of a local connection."""

from __future__ import annotations

import os
import socket

from twisted.internet.interfaces import IUNIXTransport
from zope.interface import alsoProvides

from serving.peers import uid_of_peer, uid_of_transport


def test_a_local_peer_is_who_connected() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert uid_of_peer(ours) == os.geteuid()


def test_of_another_peer_no_uid_is_known() -> None:
    with socket.socket() as connection:
        assert uid_of_peer(connection) is None


class LocalTransport:
    """A transport of a local connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        alsoProvides(self, IUNIXTransport)

    def getHandle(self) -> socket.socket:  # noqa: N802 - the name in Twisted
        return self._connection


def test_a_local_transport_tells_and_no_other_does() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert uid_of_transport(LocalTransport(ours)) == os.geteuid()
        assert uid_of_transport(object()) is None
