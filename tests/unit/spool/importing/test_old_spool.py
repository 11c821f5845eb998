"""Tests of ``spool.importing.old_spool``."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from spool.errors import SettingsError
from spool.importing.old_spool import OldSpool, find_old_mail, old_layout_named
from spool.names import UserName

USERS = {UserName(name) for name in ("ann", "bob", "a", "k-chinnen")}


def found(
    root: Path, layout: str = "flat", *users: str, excluded: Collection[str] = (), drops: Path | None = None
) -> OldSpool:
    only = [UserName(user) for user in users] or None
    return find_old_mail(root, old_layout_named(layout), USERS.__contains__, users=only, excluded=excluded, drops=drops)


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    ("layout", "name", "directory"),
    [
        ("flat", "ann", ""),
        ("qpopper1", "yasuhi-a", "i"),
        ("qpopper2", "k-chinnen", "k/-"),
        ("procmail1", "ann", "a"),
        ("procmail2", "a", "a/a"),
        ("procmail3", "ab", "a/b/b"),
    ],
)
def test_layouts_are_those_of_the_old_programs(layout: str, name: str, directory: str) -> None:
    assert old_layout_named(layout).directory(UserName(name)) == directory


@pytest.mark.parametrize("name", ["", "procmail", "procmail0", "procmail12", "other"])
def test_other_layouts_are_an_error(name: str) -> None:
    with pytest.raises(SettingsError, match="procmail1 to procmail9"):
        old_layout_named(name)


def test_mail_of_users_and_what_is_nobody_s_are_told_apart(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("ann", "zed", "Bob", "ann.lock", ".hidden", ".zed.pop", "..pop")))
    (tmp_path / "bob").mkdir()
    old = found(tmp_path)
    assert [(mail.user.text, mail.mbox, mail.there) for mail in old.mail] == [("ann", tmp_path / "ann", True)]
    assert old.without_user == [tmp_path / ".zed.pop", tmp_path / "zed"]
    assert old.unknown == [tmp_path / "Bob", tmp_path / "bob"]


def test_names_can_be_left_out(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("ann", ".ann.pop", "bob", "zed", ".zed.pop", "zoe", "Bob", "Backup")))
    old = found(tmp_path, excluded=("ann", "zed", "Bob"))
    assert [mail.user.text for mail in old.mail] == ["bob"]
    assert (old.without_user, old.unknown) == ([tmp_path / "zoe"], [tmp_path / "Backup"])
    assert found(tmp_path, "flat", "ann", excluded=["ann"]).mail == []


def test_what_qpopper_and_we_leave_beside_an_mbox_belongs_to_it(tmp_path: Path) -> None:
    touch(tmp_path / ".ann.pop", tmp_path / ".bob.mailspool-aside", tmp_path / "bob")
    ann, bob = found(tmp_path).mail
    assert (ann.drop, ann.aside, ann.there) == (tmp_path / ".ann.pop", None, False)
    assert (bob.drop, bob.aside, bob.there) == (None, tmp_path / ".bob.mailspool-aside", True)


def test_drops_may_lie_elsewhere(tmp_path: Path) -> None:
    touch(tmp_path / "drops" / ".ann.pop", tmp_path / "drops" / "ann")
    [ann] = found(tmp_path / "old", drops=tmp_path / "drops").mail
    assert (ann.mbox, ann.drop, ann.there) == (tmp_path / "old" / "ann", tmp_path / "drops" / ".ann.pop", False)


def test_drops_may_be_said_to_lie_beside_the_mboxes(tmp_path: Path) -> None:
    touch(tmp_path / ".ann.pop", tmp_path / "ann", tmp_path / ".zed.pop")
    old = found(tmp_path, drops=tmp_path)
    [ann] = old.mail
    assert (ann.drop, ann.aside, ann.there) == (tmp_path / ".ann.pop", None, True)
    assert old.without_user == [tmp_path / ".zed.pop"]


def test_in_a_hashed_spool_only_the_layout_s_place_is_a_user_s(tmp_path: Path) -> None:
    touch(tmp_path / "k" / "-" / "k-chinnen", tmp_path / "a" / "n" / "bob", tmp_path / "ann", tmp_path / "b" / "x")
    touch(*(tmp_path / name for name in ("a/n/.ann.pop", "a/n/bob.lock", "k/.hidden", "x.lock")))
    old = found(tmp_path, "qpopper2")
    assert [mail.mbox for mail in old.mail] == [tmp_path / "a" / "n" / "ann", tmp_path / "k" / "-" / "k-chinnen"]
    assert old.without_user == []
    assert old.unknown == [tmp_path / "a" / "n" / "bob", tmp_path / "ann", tmp_path / "b" / "x"]


def test_for_some_users_nothing_else_is_told(tmp_path: Path) -> None:
    touch(tmp_path / "ann", tmp_path / "bob", tmp_path / "zed")
    old = found(tmp_path, "flat", "bob", "a")
    assert [mail.user.text for mail in old.mail] == ["bob"]
    assert (old.without_user, old.unknown) == ([], [])
    assert found(tmp_path, "first", "ann").mail == []
