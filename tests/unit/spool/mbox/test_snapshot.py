import os
from pathlib import Path

import pytest

from spool.errors import MailboxChangedError
from spool.mbox.snapshot import Snapshot
from spool.mbox.taking import take_snapshot
from tests.unit.spool.mbox.mbox_files import FROM, mbox_of, opened

INTERNAL = b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1 2\n\nThis text\n"
A, B, C = b"Subject: a\n\na\n", b"Subject: b\n\nb\n", b"Subject: c\n\nc\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "mbox"
    path.write_bytes(mbox_of(A, B, C))
    return path


def snapshot_of(path: Path, *, unquote: bool = True) -> Snapshot:
    with opened(path) as mbox:
        return take_snapshot(mbox, unquote=unquote)


def left_after(path: Path, snapshot: Snapshot, *deleted: int) -> bytes:
    """What the file would hold after the removal."""
    with opened(path) as mbox:
        first, kept = snapshot.removal(mbox, set(deleted))
    content = path.read_bytes()
    return content[:first] + b"".join(content[start:stop] for start, stop in kept)


def test_sizes_are_those_of_the_view(path: Path) -> None:
    path.write_bytes(mbox_of(b"Status: R\nA: b\n\n>From c\n"))
    assert list(snapshot_of(path).wire_octets) == [len(b"A: b\r\n\r\nFrom c\r\n")]
    assert list(snapshot_of(path, unquote=False).wire_octets) == [len(b"A: b\r\n\r\n>From c\r\n")]


def test_the_last_message_marked_as_read_is_known(path: Path) -> None:
    assert snapshot_of(path).last_read == 0
    path.write_bytes(mbox_of(b"Status: RO\n" + A, b"Status: RO\n" + B, b"Status: O\n" + C))
    assert snapshot_of(path).last_read == 2


def test_a_message_lies_behind_its_from_line(path: Path) -> None:
    start, stop = snapshot_of(path).content(2)
    assert path.read_bytes()[start:stop] == B


@pytest.mark.parametrize(
    ("deleted", "left"),
    [((1,), (B, C)), ((2,), (A, C)), ((3,), (A, B)), ((1, 3), (B,)), ((2, 3), (A,)), ((1, 2, 3), ())],
)
def test_removal_leaves_the_others(path: Path, deleted: tuple[int, ...], left: tuple[bytes, ...]) -> None:
    snapshot = snapshot_of(path)
    assert left_after(path, snapshot, *deleted) == mbox_of(*left)
    with path.open("ab") as file:
        file.write(mbox_of(b"arrived\n"))
    assert left_after(path, snapshot, *deleted) == mbox_of(*left, b"arrived\n")


def test_blank_lines_before_the_first_message_go_with_it(path: Path) -> None:
    path.write_bytes(b"\n\n" + mbox_of(A, B))
    snapshot = snapshot_of(path)
    assert left_after(path, snapshot, 2) == b"\n\n" + mbox_of(A)
    assert left_after(path, snapshot, 1, 2) == b""


def test_the_internal_message_has_no_number_and_stays(path: Path) -> None:
    path.write_bytes(mbox_of(INTERNAL, A, INTERNAL))
    snapshot = snapshot_of(path)
    assert len(snapshot) == 2
    assert left_after(path, snapshot, 1, 2) == mbox_of(INTERNAL)
    path.write_bytes(mbox_of(INTERNAL))
    assert len(snapshot_of(path)) == 0


@pytest.mark.parametrize("closing", [b"\n", b"\r\n\r\n"])
def test_what_closed_off_a_torn_message_goes_with_it(path: Path, closing: bytes) -> None:
    path.write_bytes(mbox_of(A) + FROM + B)
    snapshot = snapshot_of(path)
    with path.open("ab") as file:
        file.write(closing + mbox_of(C))
    assert left_after(path, snapshot, 2) == mbox_of(A, C)
    assert left_after(path, snapshot, 1) == FROM + B + closing + mbox_of(C)


def test_a_torn_message_that_grew_is_not_removed(path: Path) -> None:
    path.write_bytes(mbox_of(A) + FROM + B)
    snapshot = snapshot_of(path)
    with path.open("ab") as file:
        file.write(b"the rest\n")
    with pytest.raises(MailboxChangedError, match="grown"):
        left_after(path, snapshot, 2)


def test_nuls_at_the_end_are_cut_off_with_the_last_message(path: Path) -> None:
    path.write_bytes(mbox_of(A, B) + b"\0" * 10)
    assert left_after(path, snapshot_of(path), 2) == mbox_of(A)


@pytest.mark.parametrize(
    "changed",
    [
        mbox_of(A, b"Subject: x\n\nb\n", C),
        mbox_of(A.replace(b"a", b"aaaaaa"), B, C),
        mbox_of(A, B + b"\n", C),
        mbox_of(A, B) + b"x" + mbox_of(C)[1:],
        mbox_of(A) + FROM.replace(b"\n", b"x") + B + b"\n" + mbox_of(C),
        mbox_of(A) + FROM + B + b"x" + mbox_of(C),
        mbox_of(A, B),
        b"",
    ],
)
def test_nothing_is_removed_from_a_file_that_was_rewritten(path: Path, changed: bytes) -> None:
    snapshot = snapshot_of(path)
    path.write_bytes(changed)
    with pytest.raises(MailboxChangedError):
        left_after(path, snapshot, 2)


def test_nothing_is_removed_from_another_file(path: Path) -> None:
    snapshot = snapshot_of(path)
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    os.replace(copy, path)  # noqa: PTH105 - one inode takes the place of another
    with opened(path) as mbox, pytest.raises(MailboxChangedError):
        snapshot.removal(mbox, {1})


@pytest.fixture
def long_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file whose messages are looked at in bulk where several are removed."""
    monkeypatch.setattr("spool.mbox.snapshot.BLOCK_OCTETS", 10)
    path = tmp_path / "long"
    path.write_bytes(mbox_of(A, B, C, A, B))
    return path


@pytest.mark.parametrize(
    ("deleted", "left"), [((1, 2, 3), (A, B)), ((2, 3, 4), (A, B)), ((1, 3, 4), (B, B)), ((3, 4, 5), (A, B))]
)
def test_many_messages_are_looked_at_in_bulk(
    long_path: Path, deleted: tuple[int, ...], left: tuple[bytes, ...]
) -> None:
    assert left_after(long_path, snapshot_of(long_path), *deleted) == mbox_of(*left)


@pytest.mark.parametrize(
    "changed",
    [
        mbox_of(A, C, B, A, B),
        b"x" + mbox_of(A, B, C, A, B),
        mbox_of(A)[:-1] + b"x" + mbox_of(B, C, A, B),
        mbox_of(A, B) + b"x" + mbox_of(C, A, B)[1:],
    ],
)
def test_nothing_is_removed_in_bulk_from_a_file_that_was_rewritten(long_path: Path, changed: bytes) -> None:
    snapshot = snapshot_of(long_path)
    long_path.write_bytes(changed)
    with pytest.raises(MailboxChangedError):
        left_after(long_path, snapshot, 1, 2)
    with pytest.raises(MailboxChangedError):
        left_after(long_path, snapshot, 2, 3)
