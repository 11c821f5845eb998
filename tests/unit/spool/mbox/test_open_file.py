import os
from pathlib import Path

import pytest

from spool.errors import MailboxUnavailableError
from spool.mbox.open_file import OpenFile


@pytest.fixture
def descriptor(tmp_path: Path) -> int:
    path = tmp_path / "file"
    path.write_bytes(b"octets")
    return os.open(path, os.O_RDONLY)


def is_open(descriptor: int) -> bool:
    return Path(f"/proc/self/fd/{descriptor}").exists()


def test_closing_closes_once(descriptor: int) -> None:
    file = OpenFile(descriptor)
    file.close()
    assert not is_open(descriptor)
    another = os.open("/", os.O_RDONLY)
    file.close()
    assert is_open(another)
    os.close(another)


def test_a_closed_file_cannot_be_used(descriptor: int) -> None:
    file = OpenFile(descriptor)
    file.close()
    with pytest.raises(MailboxUnavailableError), file.used():
        pass


def test_a_file_closed_while_it_is_used_is_closed_by_its_last_user(descriptor: int) -> None:
    file = OpenFile(descriptor)
    with file.used() as used:
        with file.used():
            file.close()
        assert os.pread(used, 6, 0) == b"octets"
    assert not is_open(descriptor)


def test_using_leaves_it_open(descriptor: int) -> None:
    file = OpenFile(descriptor)
    with file.used():
        pass
    assert is_open(descriptor)
    file.close()
