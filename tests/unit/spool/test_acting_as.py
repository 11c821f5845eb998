"""Tests of spool.acting_as; that the kernel agrees is shown in tests/root."""

from __future__ import annotations

import grp
import os
from pathlib import Path

import pytest

from spool.acting_as import acting_as, dotlock_groups
from spool.errors import HomeUnavailableError, SettingsError
from spool.settings import SpoolSettings


class Ids:
    """The ids of a process that began as ``uid``, and each change of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, uid: int) -> None:
        self.uid = uid
        self.changes: list[tuple[str, object]] = []
        monkeypatch.setattr(os, "geteuid", lambda: self.uid)
        monkeypatch.setattr(os, "getegid", lambda: 7)
        monkeypatch.setattr(os, "getgroups", lambda: [8, 9])
        monkeypatch.setattr(os, "setgroups", lambda groups: self.changes.append(("groups", tuple(groups))))
        monkeypatch.setattr(os, "setegid", lambda gid: self.changes.append(("gid", gid)))
        monkeypatch.setattr(os, "seteuid", self._become)

    def _become(self, uid: int) -> None:
        self.changes.append(("uid", uid))
        self.uid = uid


def test_root_has_a_users_rights_for_the_block_and_its_own_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = Ids(monkeypatch, 0)
    with acting_as(1000, 100, groups=(12,), uid_min=100):
        assert ids.changes == [("groups", (12,)), ("gid", 100), ("uid", 1000)]
    assert ids.changes[3:] == [("uid", 0), ("gid", 7), ("groups", (8, 9))]


def test_whoever_is_that_user_already_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = Ids(monkeypatch, 1000)
    with acting_as(1000, 100, groups=(), uid_min=2000):
        pass
    assert ids.changes == []


@pytest.mark.parametrize(("ours", "theirs", "text"), [(0, 99, "below"), (1000, 1001, "only root")])
def test_nobody_acts_for_whom_they_may_not(monkeypatch: pytest.MonkeyPatch, ours: int, theirs: int, text: str) -> None:
    ids = Ids(monkeypatch, ours)
    with pytest.raises(HomeUnavailableError, match=text), acting_as(theirs, 100, groups=(), uid_min=100):
        pass
    assert ids.changes == []


def test_the_group_of_dot_locks_goes_along() -> None:
    group = grp.getgrgid(os.getgid())
    assert dotlock_groups(SpoolSettings(root=Path("/mail"))) == ()
    assert dotlock_groups(SpoolSettings(root=Path("/mail"), dotlock_group=group.gr_name)) == (group.gr_gid,)


def test_a_group_that_is_none_is_an_error() -> None:
    with pytest.raises(SettingsError, match="there is no group no-such-group"):
        dotlock_groups(SpoolSettings(root=Path("/mail"), dotlock_group="no-such-group"))
