"""Runs programs as an ordinary user, where the tests themselves may be run by root."""

from __future__ import annotations

import functools
import os
import shutil
import socket
import subprocess
from collections.abc import Sequence

import pytest

_NOBODY = ("unshare", "--user", "--map-user=65534", "--map-group=65534")


def as_ordinary_user(*command: str) -> Sequence[str]:
    """The command that runs ``command`` as somebody who is not root.

    For root that is ``nobody`` in a user namespace: to files, and so to a Python in root's home, they are still root.
    """
    if os.geteuid():
        return command
    if not _has_user_namespaces():
        pytest.skip("needs an ordinary user, or user namespaces to make one of root")
    return [*_NOBODY, *command]


def free_ports(count: int) -> list[int]:
    """TCP ports of 127.0.0.1 that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@functools.cache
def _has_user_namespaces() -> bool:
    return shutil.which("unshare") is not None and subprocess.run([*_NOBODY, "true"], check=False).returncode == 0
