"""A repair that is broken off: mail stays, the next repair ends it, and undoing leads back from wherever it was."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from spool.checking.undoing import Undone
from tests.crash.losing import each_power_cut
from tests.crash.stopping import each_stop
from tests.unit.spool.checking.breakages import BREAKAGES
from tests.unit.spool.checking.made_site import MadeSite

BROKEN = (
    "assign.cdb is of yesterday",
    "a leftover of assign",
    "a link at an old place",
    "a link to another home",
    "no cur",
    "an old file in tmp",
    "an old dot-lock",
    "an index of somebody else",
    "our own files for all",
)


@pytest.fixture
def broken(tmp_path: Path) -> Callable[[int], MadeSite]:
    def make(number: int) -> MadeSite:
        made = MadeSite(tmp_path / str(number)).make()
        for name in BROKEN:
            BREAKAGES[name].make(made)
        (made.site.maintenance).mkdir(mode=0o700)
        return made

    return make


def repair(made: MadeSite) -> Callable[[], object]:
    return lambda: made.check(repair=True)


def undo(made: MadeSite) -> Callable[[], object]:
    (record,) = made.site.maintenance.glob("*.undo")
    return lambda: made.undo(record)


def records(made: MadeSite) -> list[Path]:
    """The newest first."""
    return sorted(made.site.maintenance.glob("*.undo"), key=lambda path: path.stat().st_mtime_ns, reverse=True)


def mail(made: MadeSite) -> set[bytes]:
    """The content of every message and mbox, without the dates in From_ lines."""
    return {
        re.sub(rb"(?m)^From .*", b"From", content)
        for name, (*_, content) in made.everything().items()
        if ("Maildir/new/" in name or "Maildir/cur/" in name or name.endswith("Mailbox")) and isinstance(content, bytes)
    }


def test_a_broken_repair_is_ended_by_the_next_and_undone_by_their_records(broken: Callable[[int], MadeSite]) -> None:
    for stopped in each_stop(broken, repair, step=2):
        made = stopped.state
        made.check(repair=True)
        assert made.kinds() == []
        for record in records(made):
            assert {each.outcome for each in made.undo(record)} <= {Undone.UNDONE, Undone.AS_BEFORE}
        assert sorted(set(made.kinds())) == sorted({BREAKAGES[name].kind for name in BROKEN})


def test_a_broken_repair_is_undone_by_its_record(broken: Callable[[int], MadeSite]) -> None:
    for stopped in each_stop(broken, repair, step=5):
        made = stopped.state
        before = mail(made)
        for record in records(made):
            assert {each.outcome for each in made.undo(record)} <= {Undone.UNDONE, Undone.AS_BEFORE}
        assert sorted(set(made.kinds())) == sorted({BREAKAGES[name].kind for name in BROKEN})
        assert mail(made) == before


def test_a_broken_undoing_is_ended_by_the_next(broken: Callable[[int], MadeSite]) -> None:
    def repaired(number: int) -> MadeSite:
        made = broken(number)
        made.check(repair=True)
        return made

    for stopped in each_stop(repaired, undo, step=2):
        made = stopped.state
        assert {each.outcome for each in made.undo(*records(made))} <= {Undone.UNDONE, Undone.AS_BEFORE}
        assert sorted(set(made.kinds())) == sorted({BREAKAGES[name].kind for name in BROKEN})


def test_a_power_cut_during_a_repair_loses_no_mail_and_leaves_nothing_that_cannot_be_mended(
    broken: Callable[[int], MadeSite],
) -> None:
    before = mail(broken(0))
    for cut in each_power_cut(broken, repair, root=lambda made: made.directory, variants=3, step=7):
        made = cut.state
        assert mail(made) == before
        made.check(repair=True)
        assert made.kinds() == []
