import io
import os
from pathlib import Path

import pytest

from spool import durable
from spool.errors import MailboxUnavailableError
from spool.mbox import delivery
from spool.mbox.delivery import append_message
from tests.unit.spool.mbox.mbox_files import FROM, mbox_of, opened

MESSAGE = b"A: b\n\nc\n"


def append(path: Path, message: bytes = MESSAGE) -> int:
    with opened(path) as mbox:
        return append_message(mbox, FROM, io.BytesIO(message))


@pytest.mark.parametrize("before", [b"", mbox_of(b"first\n"), FROM.replace(b"\n", b"\r\n") + b"a\r\n\r\n", b"\n\n"])
def test_a_message_is_appended_with_a_blank_line_after_it(tmp_path: Path, before: bytes) -> None:
    path = tmp_path / "mbox"
    path.write_bytes(before)
    assert append(path) == len(before)
    assert path.read_bytes() == before + mbox_of(MESSAGE)


@pytest.mark.parametrize(
    ("torn", "closed"),
    [
        (FROM + b"torn", FROM + b"torn\n\n"),
        (FROM + b"torn\n", FROM + b"torn\n\n"),
        (FROM + b"torn\r\n", FROM + b"torn\r\n\n"),
        (FROM, FROM + b"\n"),
        (b"\n", b"\n\n"),
        (mbox_of(b"a\n") + b"From a@", mbox_of(b"a\n")),
        (mbox_of(b"a\n") + FROM[:-1] + b"\0\0", mbox_of(b"a\n")),
        (mbox_of(b"a\n") + b"\0" * 100_000, mbox_of(b"a\n")),
        (b"Fro", b""),
        (b"\0\0", b""),
    ],
)
def test_a_torn_end_is_closed_off_first(tmp_path: Path, torn: bytes, closed: bytes) -> None:
    path = tmp_path / "mbox"
    path.write_bytes(torn)
    assert append(path) == len(closed)
    assert path.read_bytes() == closed + mbox_of(MESSAGE)


def test_a_file_that_is_no_mbox_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mbox"
    path.write_bytes(b"precious")
    with pytest.raises(MailboxUnavailableError):
        append(path)
    assert path.read_bytes() == b"precious"


def test_a_long_message_is_written_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "BLOCK_OCTETS", 3)
    path = tmp_path / "mbox"
    path.write_bytes(b"")
    append(path)
    assert path.read_bytes() == mbox_of(MESSAGE)


class FailingOs:
    """``os`` whose nth write is short, and fails when it is tried again; or whose syncs fail."""

    def __init__(self, good_writes: int) -> None:
        self._good_writes = good_writes

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def write(self, descriptor: int, data: bytes) -> int:
        if self._good_writes < 0:
            raise OSError(28, "No space left on device")
        self._good_writes -= 1
        return os.write(descriptor, data if self._good_writes >= 0 else data[:5])

    def fsync(self, descriptor: int) -> None:
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize("good_writes", range(8))
def test_a_failure_takes_back_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good_writes: int
) -> None:
    monkeypatch.setattr(delivery, "BLOCK_OCTETS", 3)
    monkeypatch.setattr(durable, "os", FailingOs(good_writes))
    path = tmp_path / "mbox"
    path.write_bytes(FROM + b"torn")
    with pytest.raises(OSError, match=r"No space|Input/output"):
        append(path)
    assert path.read_bytes() == FROM + b"torn"


def test_a_failure_does_not_take_back_what_another_appended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mbox"
    path.write_bytes(b"")

    def another_appends(_descriptor: int) -> None:
        with path.open("ab") as file:
            file.write(b"another's")
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(durable, "sync_file", another_appends)
    with pytest.raises(OSError, match="Input/output"):
        append(path)
    assert path.read_bytes() == mbox_of(MESSAGE) + b"another's"
