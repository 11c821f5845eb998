import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from spool.mbox import scanning
from spool.mbox.blocks import BlockReader
from spool.mbox.parts import read_part
from spool.mbox.scan import sound_end
from spool.mbox.scanning import ScanningProcesses
from tests.unit.spool.mbox.mbox_files import mbox_of

CONTENT = mbox_of(*(b"Subject: %d\n\n>From %d\n" % (number, number) for number in range(200)))


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[BlockReader]:
    path = tmp_path / "mbox"
    path.write_bytes(CONTENT)
    descriptor = os.open(path, os.O_RDWR)
    signs: list[None] = []
    yield BlockReader(descriptor, len(CONTENT), before_block=lambda: signs.append(None))
    os.close(descriptor)


def processes(**parameters: object) -> ScanningProcesses:
    return ScanningProcesses(**{"process_octets": 1, "part_octets": 1000, **parameters})  # type: ignore[arg-type]


def test_processes_read_what_would_be_read_here(reader: BlockReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    monkeypatch.setattr(scanning, "read_part", None)  # nothing is read here
    found = processes().read(reader, 0, reader.end, unquote=True)
    assert found == read_part(reader, 0, reader.end, unquote=True).table
    assert len(found) == 200


def test_what_is_little_is_read_here(reader: BlockReader) -> None:
    found = ScanningProcesses(interpreter="/nonexistent").read(reader, 0, reader.end, unquote=False)
    assert found == read_part(reader, 0, reader.end, unquote=False).table


@pytest.mark.parametrize("interpreter", ["/nonexistent", "/bin/true", "/bin/false"])
def test_where_no_process_answers_all_is_read_here(reader: BlockReader, interpreter: str) -> None:
    found = processes(interpreter=interpreter).read(reader, 0, reader.end, unquote=True)
    assert found == read_part(reader, 0, reader.end, unquote=True).table


def test_a_process_that_was_started_does_not_outlive_one_that_cannot_be(
    reader: BlockReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def start_once(arguments: list[str], **parameters: object) -> subprocess.Popen[bytes]:
        if started:
            raise BlockingIOError
        started.append(popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=subprocess.PIPE))
        return started[0]

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(subprocess, "Popen", start_once)
    assert len(processes().read(reader, 0, reader.end, unquote=True)) == 200
    assert started[0].returncode == -9
    started[0].stdout.close()  # type: ignore[union-attr]


def test_when_enough_are_read_by_processes_another_is_read_here(
    reader: BlockReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "_WAIT_SECONDS", 0.01)
    found = processes(at_once=0, interpreter="/nonexistent").read(reader, 0, reader.end, unquote=True)
    assert len(found) == 200


def test_a_process_writes_a_part_and_ends(reader: BlockReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "nice", lambda _: 0)
    monkeypatch.setattr(os, "_exit", lambda _: None)
    reading, writing = os.pipe()
    monkeypatch.setattr(scanning, "_OUTPUT", writing)
    scanning.main([reader.descriptor, sound_end(reader), 0, 1, 1])  # type: ignore[list-item]
    with os.fdopen(reading, "rb") as output:
        assert len(output.read()) == scanning._STOP.size + 24 + 4 * 8 + 16
