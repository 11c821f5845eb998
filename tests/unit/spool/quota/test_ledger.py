from __future__ import annotations

import os
from pathlib import Path

import pytest

from spool.quota.ledger import OCTETS_MAX, Ledger, Tally


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "maildirsize"


def test_a_new_ledger_says_what_was_counted(path: Path) -> None:
    Ledger(path).replace(b"1000S,10C", 300, 2)
    assert path.read_bytes() == b"1000S,10C\n300 2\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert Ledger(path).read() == Tally(b"1000S,10C", 300, 2, 1, path.stat().st_mtime)


def test_lines_are_summed(path: Path) -> None:
    ledger = Ledger(path)
    ledger.replace(b"1000S", 300, 2)
    ledger.add(50, 1)
    ledger.add(-120, -2)
    assert path.read_bytes() == b"1000S\n300 2\n50 1\n-120 -2\n"
    tally = ledger.read()
    assert tally is not None
    assert (tally.octets, tally.messages, tally.lines) == (230, 1, 3)


def test_lines_of_other_programs_are_understood(path: Path) -> None:
    # Courier pads, Dovecot does not.
    path.write_bytes(b"1000S,10C\n       1234        3\n-34 -1\n+5 1 \n")
    tally = Ledger(path).read()
    assert tally is not None
    assert (tally.octets, tally.messages) == (1205, 3)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1000S",
        b"1000S\n12",
        b"1000S\n12 1\n\0\0\0\0\n",
        b"1000S\n12 1\nmuch\n",
        b"1000S\n12-30 1\n",
        b"1000S\n12 1\n30\n",
        b"1000S\n\n12 1\n",
        b"1000S\n1_0 1\n",
    ],
)
def test_a_file_with_anything_else_in_it_is_as_good_as_none(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert Ledger(path).read() is None


def test_a_file_is_used_up_to_its_greatest_length(path: Path) -> None:
    path.write_bytes(b"1000S".ljust(OCTETS_MAX - 5) + b"\n1 1\n")
    assert path.stat().st_size == OCTETS_MAX
    assert Ledger(path).read() is not None
    path.write_bytes(b"1000S".ljust(OCTETS_MAX - 4) + b"\n1 1\n")
    assert Ledger(path).read() is None


def test_without_a_file_there_is_no_sum_and_nothing_is_added(path: Path) -> None:
    Ledger(path).add(1, 1)
    assert Ledger(path).read() is None
    assert not path.exists()


def test_a_discarded_file_is_gone(path: Path) -> None:
    Ledger(path).replace(b"1000S", 300, 2)
    Ledger(path).discard()
    Ledger(path).discard()
    assert not path.exists()


def test_links_and_fifos_are_not_opened(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"1000S\n1 1\n")
    path.symlink_to("elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        Ledger(path).read()
    with pytest.raises(OSError, match="symbolic"):
        Ledger(path).add(1, 1)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="not a regular file"):
        Ledger(path).read()
