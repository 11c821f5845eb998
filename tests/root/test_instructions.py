"""Users' instruction files: whose programs run as whom, and what one user's file can reach of another's mail."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import Final

import pytest

from tests.interop.live_site import LiveSite, open_directory, program, service_account
from tests.root.uids import FIRST_UID, add_users, home_of, new_user

ANN, BEN = FIRST_UID, FIRST_UID + 1
MESSAGE: Final = b"Subject: for one user\n\nsecret\n"


@pytest.fixture(params=["many uids", "one uid"])
def site(request: pytest.FixtureRequest) -> Iterator[LiveSite]:
    """Ann and Ben, on a site of either kind; nothing is served."""
    many = request.param == "many uids"
    with open_directory() as directory:
        live = LiveSite(directory, service_account())
        live.init("--set", "auth.schemes=PLAIN")
        add_users(live, [new_user("ann", 0 if many else None, live), new_user("ben", 1 if many else None, live)])
        live.deliver("ben", MESSAGE)
        yield live


def write(site: LiveSite, user: str, name: str, text: str) -> None:
    """Write a file in a home, as its user would."""
    home = home_of(site, user)
    file = home / name
    file.write_text(text)
    os.chown(file, home.stat().st_uid, home.stat().st_gid)
    file.chmod(0o600)


def deliver(site: LiveSite, user: str, message: bytes = MESSAGE) -> subprocess.CompletedProcess[bytes]:
    command = [program("spool-deliver"), "--site", str(site.site), "--sender=s@example.net", user]
    return subprocess.run(command, input=message, capture_output=True, check=False)


def has_own_uid(site: LiveSite) -> bool:
    return home_of(site, "ann").stat().st_uid == ANN


@pytest.mark.root
def test_a_program_runs_as_its_user_and_with_nothing_of_roots(site: LiveSite) -> None:
    write(site, "ann", ".qmail", "|{ id -u; id -G; grep Cap /proc/self/status; ls /proc/self/fd; } > who\n")
    ended = deliver(site, "ann")
    who = home_of(site, "ann") / "who"
    if not has_own_uid(site):
        assert (ended.returncode, who.exists()) == (111, False)
        return
    assert ended.returncode == 0, ended.stderr
    lines = who.read_text().split("\n")
    assert lines[:2] == [str(ANN), str(ANN)]
    assert "CapEff:\t0000000000000000" in lines
    assert {line for line in lines if line.isdigit()} <= {str(ANN), "0", "1", "2", "3"}


@pytest.mark.root
@pytest.mark.parametrize("served", [False, True])
def test_no_program_has_the_group_that_opens_everybodys_mailbox(served: bool) -> None:
    with open_directory() as directory:
        site = LiveSite(directory, service_account())
        site.init("--set", "auth.schemes=PLAIN", "--set", "spool.dotlock_group=mail", lmtp=served)
        add_users(site, [new_user("ann", 0, site)])
        write(site, "ann", ".qmail", "./Maildir/\n|id -G > groups\n")
        if served:
            site.start()
        try:
            assert deliver(site, "ann").returncode == 111
            write(site, "ann", ".qmail", "./Maildir/\n")
            assert deliver(site, "ann").returncode == 0
        finally:
            if served:
                assert site.stop() == 0
        home = home_of(site, "ann")
        assert not (home / "groups").exists()
        assert len(list((home / "Maildir" / "new").iterdir())) == 1


@pytest.mark.root
@pytest.mark.parametrize(
    "instructions",
    [
        "{ben}/Maildir/",
        "../../*/ben/Maildir/",
        "./link/",
        "./mbox-link",
        "|cat {mail}",
    ],
)
def test_no_file_of_one_user_writes_or_reads_anothers_mail(site: LiveSite, instructions: str) -> None:
    ann, ben = home_of(site, "ann"), home_of(site, "ben")
    (mail,) = (ben / "Maildir" / "new").iterdir()
    for link, target in (("link", ben / "Maildir"), ("mbox-link", ben / "stolen")):
        (ann / link).symlink_to(target)
        os.lchown(ann / link, ann.stat().st_uid, ann.stat().st_gid)
    relative = os.path.relpath(ben, ann)
    write(site, "ann", ".qmail", instructions.format(ben=ben, mail=mail).replace("../../*/ben", relative) + "\n")
    ended = deliver(site, "ann")
    assert ended.returncode == 111
    assert b"secret" not in ended.stdout + ended.stderr
    assert [file.read_bytes() for file in (ben / "Maildir" / "new").iterdir()] == [MESSAGE]
    assert not (ben / "stolen").exists()


@pytest.mark.root
@pytest.mark.parametrize("kind", ["symbolic link", "forward include"])
def test_no_file_of_one_user_is_read_as_anothers_instructions(site: LiveSite, kind: str) -> None:
    ann, ben = home_of(site, "ann"), home_of(site, "ben")
    write(site, "ben", "list", "./Maildir/\n")
    if kind == "symbolic link":
        (ann / ".qmail").symlink_to(ben / "list")
    else:
        write(site, "ann", ".forward", f":include:{ben}/list\n")
    ended = deliver(site, "ann")
    assert ended.returncode == 111
    assert len(list((ann / "Maildir" / "new").iterdir())) == 0


@pytest.mark.root
def test_a_list_forwards_through_the_sites_sendmail(site: LiveSite) -> None:
    calls = site.directory / "calls"
    calls.touch()
    calls.chmod(0o666)
    script = site.directory / "sendmail"
    script.write_text(f'#!/bin/sh\n{{ echo "$(id -u) $*"; cat; }} >> {calls}\n')
    script.chmod(0o755)
    settings = site.site / "mailspool.toml"
    settings.write_text(settings.read_text().replace("[delivery]\n", f'[delivery]\nsendmail = ["{script}"]\n'))
    write(site, "ann", ".qmail-list", "bob@example.net\n&-carl@example.net\n")
    write(site, "ann", ".qmail-list-owner", "./Maildir/\n")
    ended = deliver(site, "ann-list@" + min((site.site / "control" / "locals").read_text().split()))
    assert ended.returncode == 0, ended.stderr
    first, added, *rest = calls.read_text().split("\n")
    uid = home_of(site, "ann").stat().st_uid
    domain = added.partition("@")[2]
    assert first == f"{uid} -i -f ann-list-owner@{domain} -- bob@example.net -carl@example.net"
    assert added == f"Delivered-To: ann-list@{domain}"
    assert "\n".join(rest).encode() == MESSAGE
