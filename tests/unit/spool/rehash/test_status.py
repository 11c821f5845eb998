"""Tests of ``spool.rehash.status``."""

from __future__ import annotations

from pathlib import Path

from spool.names import UserName
from spool.rehash.journal import Journal
from spool.rehash.moves import Move
from spool.rehash.settings import RehashSettings
from spool.rehash.status import Left, read_status
from spool.site import Site

TIMES = RehashSettings(link_seconds=60, grace_seconds=600)


def test_without_a_rehash_there_is_none(tmp_path: Path) -> None:
    assert read_status(Site(tmp_path), TIMES) is None


def test_it_tells_what_is_done_and_what_is_left(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.maintenance.mkdir()
    journal = Journal.begin(site.maintenance, "hex2")
    ann, bob = (Move(UserName(name), 1, 2, Path("/l") / name, Path("/u") / name) for name in ("ann", "bob"))
    journal.begin_batch([ann])
    journal.end_batch({ann.user: (1, 2)}, {ann.user}, 1000.0)
    journal.begin_batch([bob])
    status = read_status(site, TIMES)
    assert status is not None
    assert (status.to, status.batches, status.moved, status.open_batch) == ("hex2", 1, 1, 1)
    assert (status.links, status.kept) == (Left(1, 1060.0), Left(1, 1600.0))
