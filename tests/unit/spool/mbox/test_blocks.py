import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.mbox import blocks
from spool.mbox.blocks import BlockReader, read_at
from tests.unit.spool.mbox.mbox_files import opened, reader_of


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_OCTETS", 7)


@given(st.text("abn", max_size=60), st.text("abn", min_size=1, max_size=4), st.integers(0, 61), st.integers(0, 60))
def test_find_finds_what_bytes_would_find(text: str, needle: str, start: int, end: int) -> None:
    data, sought = text.encode(), needle.encode()
    descriptor = os.memfd_create("blocks")
    os.write(descriptor, data)
    end = min(end, len(data))
    reader = BlockReader(descriptor, end, before_block=lambda: None)
    found = reader.find(sought, 0)
    assert found == data.find(sought, 0, end)
    assert reader.find(sought, start) == (data.find(sought, start, end) if start <= end else -1)
    assert reader.read(start, start + 5) == data[start : min(start + 5, end)]
    os.close(descriptor)


def test_pieces_are_of_at_most_one_block(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789abcdef")
    with reader_of(path) as reader:
        assert list(reader.pieces(2, 14)) == [b"2345678", b"9abcd"]
        assert list(reader.pieces(14, 99)) == [b"ef"]


def test_a_sign_of_life_is_given_before_each_block(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789abcdef")
    signs: list[None] = []
    with opened(path) as mbox:
        reader = BlockReader(mbox.descriptor, 16, before_block=lambda: signs.append(None))
        assert reader.find(b"nothing", 0) == -1
        assert len(signs) == 10
        list(reader.pieces(0, 16))
        assert len(signs) == 13


def test_a_file_that_became_shorter_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with opened(path) as mbox:
        reader = BlockReader(mbox.descriptor, 1_000_000_000, before_block=lambda: None)
        assert reader.find(b"x", 0) == -1
        assert reader.read(8, 12) == b"89"
        assert list(reader.pieces(8, 1000)) == [b"89"]


def test_short_reads_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    whole_pread = os.pread
    monkeypatch.setattr(os, "pread", lambda descriptor, octets, offset: whole_pread(descriptor, min(octets, 3), offset))
    with opened(path) as mbox:
        assert read_at(mbox.descriptor, 1, 8) == b"12345678"
        assert read_at(mbox.descriptor, 8, 8) == b"89"
