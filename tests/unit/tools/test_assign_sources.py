"""Tests of tools.assign_sources."""

from __future__ import annotations

import gc
import json
import os
from pathlib import Path

import pytest

from tests.unit.tools.conftest import MadeSite, Ran

LDIF = b"dn: uid=ann\nuid: ann\nmail: ann.a@example.org\nuidNumber: 1001\ngidNumber: 100\nhomeDirectory: /home/ann\n"
PASSWD = b"root:x:0:0::/root:/bin/sh\nann:x:1001:100::/home/ann:/bin/sh\n+::::::\n"


def take(site: MadeSite, action: str, text: bytes, *options: str) -> Ran:
    return site.runner("spool-assign", action, "--site", site.directory, *options, "-", stdin=text)


def assign(site: MadeSite) -> str:
    return (site.control / "assign").read_text()


@pytest.mark.parametrize(
    ("action", "text"), [("from-passwd", PASSWD), ("from-ldif", LDIF), ("from-csv", b"ann,1001,100,/home/ann\n")]
)
def test_each_source_makes_users(site: MadeSite, action: str, text: bytes) -> None:
    assert take(site, action, text).status == 0
    assert assign(site).startswith("=ann:ann:1001:100:")
    assert site.assign("lookup", "ann").status == 0


def test_accounts_of_the_system_are_left_out_of_passwd(site: MadeSite) -> None:
    daemon = b"daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
    assert take(site, "from-passwd", daemon + PASSWD).status == 0
    assert "daemon" not in assign(site)
    assert site.assign("lookup", "ann").status == 0
    assert take(site, "from-passwd", daemon + PASSWD, "--uid-min", "1").status == 0
    assert "=daemon:" in assign(site)


def test_a_source_may_be_a_file(site: MadeSite, tmp_path: Path) -> None:
    (tmp_path / "users").write_bytes(b"ann\n")
    assert site.assign("from-csv", str(tmp_path / "users")).status == 0
    missing = site.assign("from-csv", str(tmp_path / "none"))
    assert (missing.status, missing.err) == (1, f"spool-assign: {tmp_path}/none: No such file or directory\n")


def test_what_will_change_is_shown_and_how_to_return(site: MadeSite) -> None:
    take(site, "from-csv", b"ann,1001,100\nbob,1002,100\n")
    changed = take(site, "from-csv", b"ann,1007,100\ncid\nZed\n", "--max-drop", "0.5")
    old, new = site.control / "assign.last", site.control / "assign"
    assert changed.out.splitlines() == [
        "add 1: cid",
        "remove 1: bob",
        "change ann: uid 1001 -> 1007",
        "skip 1, upper case in the name: line 3 'Zed'",
        "2 users before, 2 after",
        f"to return: cp {old} {new}; spool-assign compile --site {site.directory}",
    ]


def test_many_names_are_shown_cut(site: MadeSite) -> None:
    users = b"".join(b"user%d\nUSER%d\n" % (number, number) for number in range(30))
    lines = take(site, "from-csv", users).out.splitlines()
    assert lines[0].startswith("add 30: user0, ")
    assert lines[0].endswith("user19, …")
    assert lines[1].endswith(", …")
    changed = take(site, "from-csv", users.replace(b"\nUSER", b",1,1\nUSER")).out.splitlines()
    assert changed[20] == "change 10 more"


def test_nothing_to_change_is_said(site: MadeSite) -> None:
    take(site, "from-csv", b"ann\n")
    assert take(site, "from-csv", b"ann\n").out == "1 users before, 1 after\nnothing to change\n"


def test_a_dry_run_shows_and_changes_nothing(site: MadeSite) -> None:
    assert take(site, "from-csv", b"ann\n", "--dry-run").out.endswith("nothing was changed (--dry-run)\n")
    assert assign(site) == ".\n"


def test_json_is_one_object(site: MadeSite) -> None:
    report = json.loads(take(site, "from-passwd", PASSWD, "--json").out)
    assert report["difference"]["added"] == {"count": 1, "first": ["ann"]}
    assert report["difference"]["left_out"][0] == {"line": 1, "name": "root", "reason": "uid 0"}
    assert report["last"] == [str(site.control / "assign.last")]


def test_too_many_removed_users_are_refused(site: MadeSite) -> None:
    take(site, "from-csv", b"ann\nbob\n")
    refused = take(site, "from-csv", b"ann\n")
    assert (refused.status, refused.out) == (1, "remove 1: bob\n2 users before, 1 after\n")
    assert "1 of 2 users would be removed (bob)" in refused.err
    assert "=bob:" in assign(site)
    assert take(site, "from-csv", b"cid\n", "--add").status == 0
    assert "=bob:" in assign(site)


def test_homes_are_made_when_asked_for(site: MadeSite) -> None:
    made = take(site, "from-csv", b"ann\n", "--make-homes")
    assert "1 homes made\n" in made.out
    found = dict(line.split(": ", 1) for line in site.assign("lookup", "ann").out.splitlines() if ": " in line)
    assert (Path(found["home"]) / "Maildir" / "new").is_dir()


def test_a_home_that_cannot_be_made_needs_a_person(site: MadeSite) -> None:
    (site.directory / "spool" / "i" / "ann" / "else").mkdir(parents=True)
    failed = take(site, "from-csv", b"ann\nbob\n", "--make-homes")
    assert failed.status == 4
    assert failed.err.startswith("spool-assign: ann: ")
    assert assign(site).startswith("=bob:")


def test_homes_may_be_the_sources(site: MadeSite, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    uid = os.getuid() or 1001
    os.chown(home, uid, -1)
    text = f"ann:x:{uid}:100::{home}:\nbob:x:{uid}:100::{tmp_path}/none:\n".encode()
    assert "skip 1, the home is missing: line 2 'bob'\n" in take(site, "from-passwd", text, "--homes", "source").out
    assert assign(site).startswith(f"=ann:ann:{uid}:100:{home}:::\n")
    stopped = take(site, "from-passwd", text, "--home-check", "present")
    assert "the home of bob is missing; nothing was changed" in stopped.err
    take(site, "from-passwd", text.replace(b"/home:", b"/moved:"), "--home-check", "any", "--homes", "source", "--add")
    assert f":{tmp_path}/none:::\n" in assign(site)
    take(
        site, "from-passwd", text.replace(b"/home:", b"/moved:"), "--homes=source", "--change-homes", "--home-check=any"
    )
    assert assign(site).startswith(f"=ann:ann:{uid}:100:{tmp_path}/moved:::\n")


def test_lists_say_whom_to_take_and_what_beside(site: MadeSite, tmp_path: Path) -> None:
    lists = {
        "include": "ann\nbob\nalias\n",
        "exclude": "bob\n",
        "mailnames": "ann:ann:anna:\n",
        "subusers": "sales:ann:sell:\n",
        "append": "=root:other:1:1:/o:-:root:\n",
    }
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
    options = [f"--{name}={tmp_path / name}" for name in lists]
    took = take(site, "from-csv", b"ann\nbob\ncid\nalias\n", *options, "--catch-all", "alias", "--no-wildcards")
    assert took.status == 0
    assert [line.split(":")[0] for line in assign(site).splitlines()] == [
        "=alias",
        "=ann",
        "=anna",
        "=sales",
        "+",
        "=root",
        ".",
    ]


def test_attributes_of_ldif_can_be_named(site: MadeSite) -> None:
    took = take(
        site, "from-ldif", LDIF, "--attribute", "name=mail", "--attribute", "uid=", "--attribute", "gid=gidNumber"
    )
    assert took.status == 0
    assert assign(site).startswith("=ann.a:ann.a:")
    assert (site.control / "domains").read_text().endswith("ann.a:example.org\n")


@pytest.mark.parametrize(
    "words",
    [
        ("from-csv",),
        ("from-csv", "-", "--max-drop", "2"),
        ("from-csv", "-", "--max-drop", "x"),
        ("from-ldif", "-", "--attribute", "name"),
        ("from-ldif", "-", "--attribute", "name="),
        ("from-ldif", "-", "--attribute", "cn=cn"),
    ],
)
def test_a_usage_error_is_status_2(site: MadeSite, words: tuple[str, ...]) -> None:
    assert site.runner("spool-assign", *words).status == 2


def test_garbage_is_collected_again_afterwards(site: MadeSite) -> None:
    take(site, "from-csv", b"ann,x\n")
    assert gc.isenabled()
