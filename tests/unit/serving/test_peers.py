"""Tests of ``serving.peers``: who is at the other end of a local connection."""

from __future__ import annotations

import os
import socket

from serving.peers import uid_of_peer


def test_a_local_peer_is_who_connected() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert uid_of_peer(ours) == os.geteuid()


def test_of_another_peer_no_uid_is_known() -> None:
    with socket.socket() as connection:
        assert uid_of_peer(connection) is None
