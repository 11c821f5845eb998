"""Tests of ``spool.assign_directory``."""

from __future__ import annotations

import os
import pwd
import threading
from pathlib import Path

import pytest

from spool.assign import AssignLine, Assignment, AssignRecord, Wildcard, compile_assign, parse_assign, publish_assign
from spool.assign_directory import AssignDirectory, Match
from spool.errors import DirectoryUnavailableError, MalformedNameError, NoSuchUserError
from spool.names import UserName

VECTOR = parse_assign(
    b"+:alias:7790:2108:/var/qmail/alias:-::\n"
    b"+joe-:joe:507:100:/home/joe:-::\n"
    b"=joe:joe:507:100:/home/joe:::\n"
    b"=webmaster:joe:507:100:/home/joe:-:web:\n"
    b".\n",
    file=Path("assign"),
)
JOE = AssignRecord("joe", 507, 100, Path("/home/joe"))
JOE_LIST = AssignRecord("joe", 507, 100, Path("/home/joe"), "-", "List-A")


def user(name: str, uid: int = 1) -> Assignment:
    return Assignment(name, AssignRecord(name, uid, 1, Path("/home") / name))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    publish_assign(VECTOR, tmp_path / "assign.cdb")
    return tmp_path / "assign.cdb"


@pytest.fixture
def directory(path: Path) -> AssignDirectory:
    return AssignDirectory(path)


@pytest.mark.parametrize("local", ["joe", "JOE", "Joe"])
def test_an_exact_assignment_is_found_in_any_case(directory: AssignDirectory, local: str) -> None:
    assert directory.exact(local) == JOE
    assert directory.lookup(local) == Match(JOE, None)


def test_an_exact_look_up_knows_no_wildcards(directory: AssignDirectory) -> None:
    with pytest.raises(NoSuchUserError):
        directory.exact("joe-list")


@pytest.mark.parametrize(
    ("local", "user_name", "extension", "prefix"),
    [
        ("joe-", "joe", "", "joe-"),
        ("joe-List-A", "joe", "List-A", "joe-"),
        ("JOE-List", "joe", "List", "joe-"),
        ("joey", "alias", "joey", ""),
        ("-", "alias", "-", ""),
        ("j\udcf6", "alias", "j\udcf6", ""),
    ],
)
def test_the_longest_wildcard_takes_the_rest_in_its_case(
    directory: AssignDirectory, local: str, user_name: str, extension: str, prefix: str
) -> None:
    found = directory.lookup(local)
    assert (found.record.user, found.record.dash, found.record.extension) == (user_name, "-", extension)
    assert found.prefix == prefix


def test_what_comes_before_the_rest_is_kept(tmp_path: Path) -> None:
    sub = AssignRecord("joe", 507, 100, Path("/home/joe"), "-", "sub-")
    publish_assign([Wildcard("sales-", sub)], tmp_path / "assign.cdb")
    assert AssignDirectory(tmp_path / "assign.cdb").lookup("sales-Japan").record.extension == "sub-Japan"


def test_a_prefix_that_ends_in_an_upper_case_letter_is_found(tmp_path: Path) -> None:
    publish_assign([Wildcard("VIP", JOE)], tmp_path / "assign.cdb")
    assert AssignDirectory(tmp_path / "assign.cdb").lookup("vipers").record.extension == "ers"


def test_without_a_wildcard_for_all_a_local_part_may_be_nobodys(tmp_path: Path) -> None:
    publish_assign([Wildcard("joe-", JOE)], tmp_path / "assign.cdb")
    with pytest.raises(NoSuchUserError):
        AssignDirectory(tmp_path / "assign.cdb").lookup("ann")


@pytest.mark.parametrize("local", ["", "a\0", "\0", "a" * 256, "\ud800"])
def test_what_is_no_local_part_is_not_looked_up(directory: AssignDirectory, local: str) -> None:
    with pytest.raises(MalformedNameError):
        directory.lookup(local)


def test_a_user_is_assigned_to_themselves(directory: AssignDirectory) -> None:
    assert directory.user(UserName("joe")) == JOE


@pytest.mark.parametrize("name", ["webmaster", "joe-list", "alias", "ann"])
def test_aliases_and_wildcards_are_nobodys_account(directory: AssignDirectory, name: str) -> None:
    with pytest.raises(NoSuchUserError):
        directory.user(UserName(name))


def test_users_are_listed_once_without_aliases_and_foreign_names(tmp_path: Path) -> None:
    lines: list[AssignLine] = [
        user("ann"),
        user("ann", 2),
        user("a/b"),
        Assignment("web", JOE),
        Wildcard("ann-", JOE),
        user("bob"),
    ]
    publish_assign(lines, tmp_path / "assign.cdb")
    found = [(str(name), record.uid) for name, record in AssignDirectory(tmp_path / "assign.cdb").users()]
    assert found == [("ann", 1), ("bob", 1)]


def test_lines_are_given_in_their_order(directory: AssignDirectory) -> None:
    assert tuple(directory.lines()) == VECTOR


def test_a_replaced_file_is_noticed_at_once(directory: AssignDirectory, path: Path) -> None:
    directory.user(UserName("joe"))
    publish_assign([user("ann")], path)
    assert directory.user(UserName("ann")).uid == 1
    with pytest.raises(NoSuchUserError):
        directory.user(UserName("joe"))


def test_a_file_is_opened_once_while_it_stays(
    directory: AssignDirectory, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.user(UserName("joe"))
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("opened again"))
    assert directory.user(UserName("joe")) == JOE


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"=joe:joe:507:100:/home/joe:::\n.\n",
        compile_assign(VECTOR)[:-8],
        compile_assign(VECTOR)[:2048],
        b"\0" * 4096,
    ],
    ids=["empty", "text", "cut", "header", "zeros"],
)
def test_a_file_that_is_not_whole_is_temporary_and_not_no_such_user(
    directory: AssignDirectory, path: Path, octets: bytes
) -> None:
    path.write_bytes(octets)
    for look_up in (lambda: directory.exact("ann"), lambda: directory.lookup("ann"), lambda: list(directory.users())):
        with pytest.raises(DirectoryUnavailableError):
            look_up()


def test_a_missing_file_is_temporary_and_its_return_noticed(directory: AssignDirectory, path: Path) -> None:
    path.rename(path.with_name("away"))
    with pytest.raises(DirectoryUnavailableError, match=r"assign\.cdb: .*No such file"):
        directory.user(UserName("joe"))
    path.with_name("away").rename(path)
    assert directory.user(UserName("joe")) == JOE


def test_a_file_cut_in_place_is_noticed(directory: AssignDirectory, path: Path) -> None:
    directory.user(UserName("joe"))
    os.truncate(path, 2100)
    with pytest.raises(DirectoryUnavailableError):
        directory.user(UserName("joe"))


def test_a_record_that_says_nothing_sensible_is_temporary(tmp_path: Path) -> None:
    compiled = compile_assign([user("joe")]).replace(b"joe\x001\x001", b"joe\x00x\x001")
    (tmp_path / "assign.cdb").write_bytes(compiled)
    with pytest.raises(DirectoryUnavailableError, match="uid"):
        AssignDirectory(tmp_path / "assign.cdb").user(UserName("joe"))


def test_threads_see_one_state_or_the_other_while_the_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "assign.cdb"
    publish_assign([user("ann", 1), user("bob", 1)], path)
    directory = AssignDirectory(path)
    trouble: list[BaseException] = []
    over = threading.Event()

    def look_up() -> None:
        try:
            while not over.is_set():
                assert directory.user(UserName("ann")).uid in {1, 2}
                assert directory.user(UserName("bob")).uid in {1, 2}
        except BaseException as error:
            trouble.append(error)

    threads = [threading.Thread(target=look_up) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(40):
        uid = number % 2 + 1
        publish_assign([user("ann", uid), user("bob", uid)], path)
    over.set()
    for thread in threads:
        thread.join()
    assert trouble == []


def test_no_look_up_asks_the_system_for_users(directory: AssignDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("getpwnam", "getpwuid", "getpwall"):
        monkeypatch.setattr(pwd, name, lambda *_: pytest.fail("asked getpw()"))
    assert directory.lookup("joe-List-A").record == JOE_LIST
