"""``status.sock``: how ``mailspool status`` learns what the supervisor knows.

Whoever may connect (mode 0600: the supervisor's user, and root) gets one JSON object and end of file; nothing is sent
to the supervisor, so there is nothing to parse. The answer waits a moment for the children's counters.
"""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from serving.children import Child
from serving.generations import Generation
from serving.settings import UNIX_PATH_OCTETS_MAX, UnixAddress
from serving.sockets import SocketAccess, listen
from spool.errors import SettingsError

SOCKET_NAME: Final = "status.sock"
COUNTING_SECONDS: Final = 1.0  # a worker that is too busy to count is shown with its last counters
QUESTIONS_MAX: Final = 16
ANSWER_OCTETS_MAX: Final = 4 * 1024 * 1024


class StatusServer:
    """The supervisor's side. It never waits; the supervisor's loop says when something happened.

    Raises:
        SettingsError: the socket cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._listening = listen(UnixAddress(path), access=SocketAccess(0o600))
        self._waiting: list[socket.socket] = []
        self._uncounted: set[int] = set()
        self.answer_by: float | None = None
        """When the questions that wait are answered at the latest; None while there are none."""

    def fileno(self) -> int:
        """The listening descriptor, for ``select``."""
        return self._listening.fileno()

    def take_question(self, to_count: set[int], now: float) -> bool:
        """Accept a question; whether the children ``to_count`` (by serial) must be asked for their counters now."""
        try:
            question, _ = self._listening.accept()
        except OSError:
            return False
        if len(self._waiting) >= QUESTIONS_MAX:
            question.close()
            return False
        question.setblocking(False)
        self._waiting.append(question)
        if self.answer_by is not None:
            return False
        self.answer_by = now + COUNTING_SECONDS
        self._uncounted = to_count
        return True

    def counted(self, serial: int) -> None:
        """A child has counted, or is gone."""
        self._uncounted.discard(serial)

    def answer_if_due(self, now: float, report: Callable[[], Mapping[str, Any]]) -> None:
        """Answer what waits, if all children have counted or time is up."""
        if self.answer_by is None or (self._uncounted and now < self.answer_by):
            return
        answer = json.dumps(report()).encode()
        for question in self._waiting:
            # What does not fit into the socket's buffer at once is cut off, and the asker sees broken JSON.
            with question, suppress(OSError):
                question.send(answer)
        self._waiting.clear()
        self.answer_by = None

    def close(self) -> None:
        """Stop answering and remove the socket."""
        for question in self._waiting:
            question.close()
        self._listening.close()
        with suppress(OSError):
            self.path.unlink()


def status_report(
    generation: Generation | None, children: Iterable[Child], *, uptime_seconds: float, stopping: bool, now: float
) -> dict[str, object]:
    """What is answered.

    Args:
        generation: the one in service, or that is to be the first; None when there is none any more.
        children: all that live, draining ones too.
        uptime_seconds: the supervisor's.
        stopping: whether it has been told to end.
        now: the time in the supervisor's clock.
    """
    restarts: Counter[str] = Counter()
    for seat in generation.seats if generation is not None else ():
        restarts[seat.role.name] += seat.restarts
    return {
        "pid": os.getpid(),
        "uptime_seconds": round(uptime_seconds, 3),
        "stopping": stopping,
        "listeners": [str(listener) for listener in (generation.listeners if generation is not None else ())],
        "restarts": dict(restarts),
        "children": [
            {
                "role": child.role.name,
                "pid": child.pid,
                "state": child.state.value,
                "uptime_seconds": round(now - child.started_at, 3),
                "counters": dict(child.counters),
            }
            for child in children
        ],
    }


def ask_status(path: Path, *, timeout_seconds: float = 5.0) -> dict[str, Any]:
    """Ask the running service.

    Raises:
        SettingsError: the path is too long for a socket.
        OSError: nobody answers there, or not to us.
        ValueError: what answers is not our supervisor.
    """
    if len(bytes(path)) > UNIX_PATH_OCTETS_MAX:
        raise SettingsError(
            f"[service] runtime_directory: {path} is over the {UNIX_PATH_OCTETS_MAX} octets a socket may have"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as question:
        question.settimeout(timeout_seconds)
        question.connect(bytes(path))
        answer = bytearray()
        while piece := question.recv(64 * 1024):
            answer += piece
            if len(answer) > ANSWER_OCTETS_MAX:
                raise ValueError("status answer too long")
    status = json.loads(answer)
    if not isinstance(status, dict):
        raise ValueError("status answer is not an object")  # noqa: TRY004 - one exception for all that is not ours
    return status
