"""Tests of ``spool.checking.maildirs``."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from spool.checking import maildirs
from spool.checking.places import Place, names_in, status_of
from spool.checking.view import Seen
from tests.unit.spool.checking.denying import deny
from tests.unit.spool.checking.made_site import MadeSite, age
from tests.unit.spool.checking.views import home_of, view_of


@pytest.fixture
def maildir(made: MadeSite) -> Path:
    return made.home("ann") / "Maildir"


def message(maildir: Path) -> Path:
    return next(iter((maildir / "cur").iterdir()))


def found(made: MadeSite, *, deep: bool = False) -> list[tuple[str, str]]:
    """What one look at ann's Maildir finds; a site is looked at twice."""
    home = home_of(made, "ann")
    place = home.place("Maildir")
    status = home.look_at(place)
    assert status is not None
    findings = maildirs.check_maildir(home, Seen(home.locations[0], place, status), view_of(made, deep=deep))
    return [(finding.kind.name, finding.path.name) for finding in findings]


@pytest.mark.parametrize("name", ["Maildir", "cur"])
def test_a_directory_that_cannot_be_listed_is_told(
    made: MadeSite, maildir: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    deny(monkeypatch, name)
    (told,), summary = made.check()
    assert (told.finding.kind.name, summary.needs_person) == ("not-looked-at", True)


@pytest.mark.parametrize("name", ["Maildir", "Maildir/cur"])
def test_a_directory_without_rights_is_told_once(
    made: MadeSite, maildir: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (made.home("ann") / name).chmod(0o300)
    deny(monkeypatch, Path(name).name)
    assert made.kinds() == ["mode-too-narrow"]


def test_hidden_and_strange_files_in_tmp_are_nobody_s_matter(made: MadeSite, maildir: Path) -> None:
    for name in (".hidden", "link"):
        (maildir / "tmp" / name).symlink_to("x")
        age(maildir / "tmp" / name)
    (maildir / "new" / ".hidden").touch()
    assert made.kinds() == []


def test_young_files_in_tmp_are_deliveries(made: MadeSite, maildir: Path) -> None:
    (maildir / "tmp" / "1").touch()
    made.give_homes()
    assert made.kinds() == []


def test_names_that_go_while_they_are_looked_at_are_no_findings(
    made: MadeSite, maildir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = names_in
    monkeypatch.setattr(maildirs, "names_in", lambda descriptor: [*listed(descriptor), "gone"])
    assert made.kinds(deep=True) == []


def test_a_message_that_is_moved_meanwhile_is_not_there_twice(
    made: MadeSite, maildir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moving = message(maildir)
    base = moving.name.partition(":")[0]
    listed = names_in
    monkeypatch.setattr(maildirs, "names_in", lambda descriptor: [*listed(descriptor), base])
    moving.rename(maildir / "new" / base)
    looked = status_of

    def look(name: str, directory: int) -> os.stat_result | None:
        status = looked(name, directory)
        if name == base and status is not None and not moving.exists():
            (maildir / "new" / base).rename(moving)
        return status

    monkeypatch.setattr(maildirs, "status_of", look)
    assert found(made) == []


def test_sizes_in_names_are_looked_at_only_deeply(made: MadeSite, maildir: Path) -> None:
    message(maildir).rename(message(maildir).with_name("1.2.mx,S=1:2,"))
    assert made.kinds() == []
    assert found(made, deep=True) == [("size-in-name-wrong", "1.2.mx,S=1:2,")]


def test_names_without_sizes_are_right(made: MadeSite, maildir: Path) -> None:
    message(maildir).rename(message(maildir).with_name("1.2.mx:2,"))
    assert found(made, deep=True) == []


@pytest.mark.parametrize(
    ("error", "kinds"), [(errno.EIO, ["not-looked-at"]), (errno.ENOENT, [])], ids=["damaged", "gone"]
)
def test_a_message_that_cannot_be_read_is_told(
    made: MadeSite, maildir: Path, monkeypatch: pytest.MonkeyPatch, error: int, kinds: list[str]
) -> None:
    deny(monkeypatch, message(maildir).name, error=error)
    assert made.kinds(deep=True) == kinds


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"10000000S,1000C\n",
        b"10000000S,1000C\n12345 6\n   -345  -1\n1234 1      \n",
        b"1000S\n12 1\n99",
        b"1000S\n" + b"x" * 6000,
    ],
    ids=["empty", "quota", "changes", "torn", "to be made anew"],
)
def test_a_maildirsize_as_others_write_it_is_sound(made: MadeSite, maildir: Path, content: bytes) -> None:
    (maildir / "maildirsize").write_bytes(content)
    made.give_homes()
    assert made.kinds() == []


def test_a_maildirsize_that_is_no_file_is_put_aside(made: MadeSite, maildir: Path) -> None:
    (maildir / "maildirsize").symlink_to("/etc/passwd")
    (told,), summary = made.check(repair=True)
    assert (told.finding.kind.name, told.outcome.value) == ("maildirsize-damaged", "mended")
    made.undo(summary.undo_record)
    assert (maildir / "maildirsize").readlink() == Path("/etc/passwd")


def test_in_a_maildir_outside_of_the_home_nothing_is_made_or_put_aside(made: MadeSite, tmp_path: Path) -> None:
    outside = tmp_path / "var"
    made.changed_settings["maildrop"] = (f"{outside}/{{user}}/", "{home}/Maildir/", "{home}/Mailbox")
    (made.home("ann") / "Maildir").rename(outside.with_name("moved"))
    outside.mkdir()
    outside.with_name("moved").rename(outside / "ann")
    (outside / "ann" / "maildirsize").write_bytes(b"much\n")
    (outside / "ann" / "tmp" / "1").touch()
    age(outside / "ann" / "tmp" / "1")
    (outside / "ann" / "new").rename(outside / "ann" / "old")
    told, summary = made.check(repair=True)
    assert sorted(each.finding.kind.name for each in told) == ["maildirsize-damaged", "part-missing", "stale-tmp"]
    assert summary.needs_person
    assert summary.undo_record is None


def test_others_may_not_come_into_a_maildir_in_a_home_they_can_pass(made: MadeSite, maildir: Path) -> None:
    maildir.chmod(0o755)
    assert made.kinds() == []
    made.home("ann").chmod(0o711)
    assert made.kinds(repair=True) == ["mode-too-open"]
    assert made.kinds() == []


def test_a_place_is_looked_at_whoever_owns_the_home() -> None:
    assert Place(Path("/mail"), ("ann", "x"), 20001).for_looking == Place(Path("/mail"), ("ann", "x"))
