"""Reading many messages of an mbox, in processes of their own where there are very many.

Reading 500 MB takes a processor for a second or more. In a worker that serves other sessions, a thread that does so
would have the interpreter to itself most of that time, and one core would do all of it. So what is larger than
``PROCESS_OCTETS`` is cut into parts (``spool.mbox.parts``), one for each core, and read by processes that know the
format and nothing else. They inherit the open file, and with it the kernel's locks, which stay held while they read.

A new interpreter is started, and not this process forked: a fork of a process with threads may find a lock that nobody
will ever release. Where none can be started (mail processes of many-uid sites may not), or one is killed, all is
read here: slower, but the same, and an error is then told as what it is.
"""

from __future__ import annotations

import os
import selectors
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Final

from spool.mbox.blocks import BlockReader
from spool.mbox.parts import Part, join, part_starts, read_part
from spool.mbox.table import MessageTable

PROCESS_OCTETS: Final = 8 * 1024 * 1024
"""From here on a process is worth its start, which takes about as long as reading so much (``bench/mbox.py``)."""

_PART_OCTETS: Final = 4 * PROCESS_OCTETS
_WAIT_SECONDS: Final = 5.0
_SIGN_OF_LIFE_SECONDS: Final = 1.0
_STOP: Final = struct.Struct("=q")
_PIPE_OCTETS: Final = 64 * 1024
_OUTPUT: Final = 1
_NICE: Final = 10  # who waits for a large mbox waits anyhow; whoever is served at once should not notice

# Isolated and without the site module, whose search for packages takes longer than all the rest of the start.
_COMMAND: Final = (
    "-I",
    "-S",
    "-c",
    "import sys; sys.path.insert(0, sys.argv[1]); from spool.mbox.scanning import main; main(sys.argv[2:])",
    str(Path(__file__).parents[2]),
)


class ScanningProcesses:
    """Starts scanning processes, for a bounded number of mboxes at a time. Safe for threads.

    Args:
        at_once: how many mboxes may be read by processes; others wait a little, and are then read here.
        process_octets: from how many octets on.
        part_octets: how many octets are a part at least.
        interpreter: the Python that is run.
    """

    def __init__(
        self,
        *,
        at_once: int = 2,
        process_octets: int = PROCESS_OCTETS,
        part_octets: int = _PART_OCTETS,
        interpreter: str = sys.executable,
    ) -> None:
        self._free = threading.BoundedSemaphore(at_once)
        self._process_octets = process_octets
        self._part_octets = part_octets
        self._interpreter = interpreter

    def read(self, reader: BlockReader, start: int, limit: int, *, unquote: bool) -> MessageTable:
        """Read the messages that begin from ``start``, where one begins, up to before ``limit``.

        Raises:
            OSError: the file cannot be read.
        """
        octets = limit - start
        if octets >= self._process_octets and self._free.acquire(timeout=_WAIT_SECONDS):
            try:
                starts = part_starts(reader, start, limit, self._parts(octets))
                parts = self._read_elsewhere(reader, starts, limit, unquote)
            except (OSError, ValueError):
                parts = ()
            finally:
                self._free.release()
            if parts:
                return join(reader, parts, unquote=unquote)
        return read_part(reader, start, limit, unquote=unquote).table

    def _parts(self, octets: int) -> int:
        return max(1, min(len(os.sched_getaffinity(0)), octets // self._part_octets))

    def _read_elsewhere(self, reader: BlockReader, starts: Sequence[int], end: int, unquote: bool) -> Sequence[Part]:
        with ExitStack() as stack:
            processes = []
            for start, limit in zip(starts, (*starts[1:], end), strict=True):
                process = self._start(reader, start, limit, unquote)
                stack.callback(process.wait)
                stack.callback(process.kill)
                processes.append(process)
            answers = _answers([process.stdout for process in processes if process.stdout], reader)
            for process in processes:
                process.wait()
        return [Part(MessageTable.decode(answer[_STOP.size :]), *_STOP.unpack_from(answer)) for answer in answers]

    def _start(self, reader: BlockReader, start: int, limit: int, unquote: bool) -> subprocess.Popen[bytes]:
        numbers = (reader.descriptor, reader.end, start, limit, int(unquote))
        return subprocess.Popen(  # noqa: S603 - our own interpreter, our own module, and numbers
            [self._interpreter, *_COMMAND, *map(str, numbers)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(reader.descriptor,),
            cwd="/",
            env={},
        )


def _answers(pipes: Sequence[IO[bytes]], reader: BlockReader) -> Sequence[bytes]:
    """Read each pipe to its end; meanwhile give signs of life."""
    pieces: Mapping[int, list[bytes]] = {pipe.fileno(): [] for pipe in pipes}
    with selectors.DefaultSelector() as selector, ExitStack() as stack:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
            stack.callback(pipe.close)
        while selector.get_map():
            reader.before_block()
            for key, _ in selector.select(_SIGN_OF_LIFE_SECONDS):
                piece = os.read(key.fd, _PIPE_OCTETS)
                pieces[key.fd].append(piece)
                if not piece:
                    selector.unregister(key.fd)
    return [b"".join(found) for found in pieces.values()]


def main(arguments: Sequence[str]) -> None:
    """Be a scanning process: read a part and write it to standard output."""
    os.nice(_NICE)
    descriptor, end, start, limit, unquote = map(int, arguments)
    reader = BlockReader(descriptor, end, before_block=lambda: None)
    part = read_part(reader, start, limit, unquote=bool(unquote))
    with os.fdopen(_OUTPUT, "wb") as output:
        output.write(_STOP.pack(part.stop))
        output.writelines(part.table.encode())
    os._exit(0)  # taking an interpreter down would take longer than writing what it has found


SCANNING_PROCESSES: Final = ScanningProcesses()
"""Those of this process."""
