"""Runs a piece of a test in a child process, where it may change what belongs to a whole process."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable


def outcome_of_child(work: Callable[[], str]) -> str:
    """What ``work`` returned in a forked child, or the trace of what it raised."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            outcome = work()
        except BaseException:
            outcome = traceback.format_exc()
        os.write(writer, outcome.encode())
        os._exit(0)
    os.close(writer)
    pieces = b""
    while piece := os.read(reader, 65536):
        pieces += piece
    os.close(reader)
    os.waitpid(pid, 0)
    return pieces.decode()
