from dataclasses import replace
from pathlib import Path

import pytest

from spool.mbox.index import MboxIndex
from spool.mbox.snapshot import Snapshot
from spool.mbox.taking import take_snapshot
from spool.state import state_file
from tests.unit.spool.mbox.mbox_files import location_of, mbox_of, opened


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    location_of(tmp_path).path.write_bytes(mbox_of(b"Status: RO\nSubject: a\n\na\n", b"Content-Length: 999\n\nb\n"))
    with opened(location_of(tmp_path).path) as mbox:
        return take_snapshot(mbox, unquote=True)


def index_file(home: Path) -> Path:
    return state_file(location_of(home), MboxIndex.SUFFIX)


def index_of(home: Path) -> MboxIndex:
    return MboxIndex(location_of(home))


def test_a_snapshot_comes_out_of_the_index(tmp_path: Path, snapshot: Snapshot) -> None:
    assert index_of(tmp_path).load() is None
    index_of(tmp_path).save(snapshot)
    assert index_of(tmp_path).load() == snapshot
    assert index_file(tmp_path).stat().st_mode & 0o777 == 0o600


def test_a_removed_index_is_none(tmp_path: Path, snapshot: Snapshot) -> None:
    index_of(tmp_path).save(snapshot)
    index_of(tmp_path).remove()
    index_of(tmp_path).remove()
    assert index_of(tmp_path).load() is None


def test_whatever_is_not_what_was_written_is_none(tmp_path: Path, snapshot: Snapshot) -> None:
    index_of(tmp_path).save(snapshot)
    sound = index_file(tmp_path).read_bytes()
    for place in range(0, len(sound), 7):
        index_file(tmp_path).write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        assert index_of(tmp_path).load() is None
    for torn in (sound[:10], sound[:-1], sound + b"x", bytes(len(sound)), b""):
        index_file(tmp_path).write_bytes(torn)
        assert index_of(tmp_path).load() is None


def test_a_link_is_not_followed(tmp_path: Path, snapshot: Snapshot) -> None:
    index_of(tmp_path).save(snapshot)
    elsewhere = tmp_path / "elsewhere"
    index_file(tmp_path).rename(elsewhere)
    index_file(tmp_path).symlink_to(elsewhere)
    assert index_of(tmp_path).load() is None
    index_of(tmp_path).restamp(snapshot.stamp, snapshot.stamp._replace(mtime_ns=7))
    index_file(tmp_path).unlink()
    elsewhere.rename(index_file(tmp_path))
    assert index_of(tmp_path).load() == snapshot


def test_an_index_that_cannot_be_written_is_no_trouble(tmp_path: Path, snapshot: Snapshot) -> None:
    index_file(tmp_path).mkdir(parents=True)
    index_of(tmp_path).save(snapshot)
    index_of(tmp_path).remove()
    assert index_of(tmp_path).load() is None


def test_another_stamp_is_given_to_what_has_the_one_before(tmp_path: Path, snapshot: Snapshot) -> None:
    index_of(tmp_path).save(snapshot)
    later = snapshot.stamp._replace(ctime_ns=snapshot.stamp.ctime_ns + 1)
    index_of(tmp_path).restamp(later, snapshot.stamp._replace(mtime_ns=7))
    assert index_of(tmp_path).load() == snapshot
    index_of(tmp_path).restamp(snapshot.stamp, later)
    assert index_of(tmp_path).load() == replace(snapshot, stamp=later)
