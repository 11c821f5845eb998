"""Tests of ``spool.converting.switching``: each state that a crash can leave; ``tests/crash`` makes them in earnest."""

from __future__ import annotations

from pathlib import Path

import pytest

from spool.converting.options import Action, Outcome
from spool.converting.places import Places, places_for
from spool.converting.record import Conversion, load_conversions, record_path, save_conversions
from spool.mailbox import MailboxKind
from tests.small_site import TEMPLATES
from tests.unit.spool.converting.test_user_conversion import ANN, Ann

MAIL = b"Subject: one\n\n"
SHOWN = [b"Subject: one\r\n\r\n"]


class Half:
    """A conversion that was broken off: the new mailbox was written, and what happened then is the test's."""

    def __init__(self, directory: Path, kind: MailboxKind, templates: tuple[str, ...]) -> None:
        self.ann = Ann(directory, kind, templates)
        self.ann.site.deliver("ann", MAIL)
        self.source = self.ann.site.location("ann")
        self.action = Action.TO_MBOX if kind is MailboxKind.MAILDIR else Action.TO_MAILDIR
        wanted = self.action.kind
        assert wanted is not None
        self.places: Places = places_for(self.source, wanted, self.ann.site.settings)
        assert self.ann.run(self.action).outcome is Outcome.DONE
        self.kept = self.source.path.with_name(f"{self.source.path.name}.before-convert")
        path = record_path(self.ann.maintenance, ANN)
        [done] = load_conversions(path)
        save_conversions(path, [Conversion(done.source, done.target, done.kept, 0.0, done.end, done.bases)])

    def finish(self) -> tuple[bool, list[bytes]]:
        """Run it again; tell whether the mailbox had been converted before that, and what is in it then."""
        self.ann.run(Action.DISCARD)
        converted = self.ann.site.location("ann").kind is not self.source.kind
        assert not self.places.built.exists()
        return converted, self.ann.site.octets("ann")


@pytest.fixture(params=[TEMPLATES, TEMPLATES[::-1]], ids=["maildir-first", "mbox-first"])
def templates(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=list(MailboxKind), ids=lambda kind: kind.value)
def half(request: pytest.FixtureRequest, tmp_path: Path, templates: tuple[str, ...]) -> Half:
    return Half(tmp_path, request.param, templates)


def test_with_both_names_changed_it_is_complete(half: Half) -> None:
    assert half.finish() == (True, SHOWN)
    [conversion] = load_conversions(record_path(half.ann.maintenance, ANN))
    assert conversion.complete


def test_before_the_first_name_is_changed_it_is_undone(half: Half) -> None:
    half.places.target.path.rename(half.places.built)
    half.kept.rename(half.source.path)
    half.ann.run(half.action, dry_run=True)
    assert half.places.built.exists()
    assert half.finish() == (False, SHOWN)
    assert load_conversions(record_path(half.ann.maintenance, ANN)) == ()


def test_between_the_names_it_is_finished_if_the_new_mailbox_is_found(half: Half) -> None:
    half.kept.rename(half.source.path)
    converted = half.places.earlier
    assert half.finish() == (converted, SHOWN)
    assert half.kept.exists() is converted
    assert half.places.target.path.exists() is converted


def test_with_nothing_built_yet_it_is_undone(half: Half) -> None:
    half.places.target.path.rename(half.ann.home / "elsewhere")
    half.kept.rename(half.source.path)
    assert half.finish() == (False, SHOWN)
