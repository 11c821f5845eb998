"""procmail and maildrop in users' instructions, delivering into their own homes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.interop.installation import install_for_everybody
from tests.interop.live_site import LiveSite, open_directory, service_account
from tests.interop.needs import need_program, need_root
from tests.root.uids import FIRST_UID, add_users, home_of, new_user
from tests.unit.docs.pages import CHECKOUT, blocks

SENDER: Final = "sender@example.org"
MESSAGE: Final = b"From: a@example.org\nSubject: for a list\nMessage-ID: <1@example.org>\n\nFrom the text\n"
PAGE: Final = CHECKOUT / "docs/how-to/filters.md"
FILTERS: Final = ("procmail", "maildrop")
PLACES: Final = (".qmail", ".forward")
RULES: Final = {"procmail": ".procmailrc", "maildrop": ".mailfilter"}
ENDING: Final = {"procmail": "EXITCODE={}\nHOST\n", "maildrop": "EXITCODE={}\nexit\n"}
_NAMESPACE: Final = 'mount --make-rprivate / && mount --bind "$0" /etc/passwd && exec "$@"'


@pytest.fixture(scope="module")
def site() -> Iterator[LiveSite]:
    """A site of many uids whose one user is ann; nothing is served."""
    need_root()
    need_program(*FILTERS)
    with open_directory() as directory:
        live = LiveSite(directory, service_account())
        live.init("--set", "auth.schemes=PLAIN")
        add_users(live, [new_user("ann", 0, live)])
        yield live


@pytest.fixture(scope="module")
def program(site: LiveSite) -> Path:
    """A spool-deliver, and beside it preline, where users' lines find it."""
    program = install_for_everybody(site.directory / "installed")
    preline = program.with_name("preline")
    python = program.with_name("python3")
    preline.write_text(f"#!{python}\nimport sys\nfrom tools.preline import main\nsys.exit(main())\n")
    preline.chmod(0o755)
    return program


def shown(language: str) -> str:
    """The block of the how-to in this language."""
    (block,) = (block for block in blocks(PAGE) if block.language == language)
    return block.text


def write(site: LiveSite, name: str, text: str) -> None:
    """Write a file in ann's home, as she would."""
    home = home_of(site, "ann")
    file = home / name
    file.write_text(text)
    os.chown(file, home.stat().st_uid, home.stat().st_gid)
    file.chmod(0o600)


def instruct(site: LiveSite, place: str, filter_program: str) -> None:
    """Have ann's mail handled by a program, as the how-to shows."""
    for other in PLACES:
        (home_of(site, "ann") / other).unlink(missing_ok=True)
    write(site, place, shown(f"{place.removeprefix('.')}_{filter_program}"))


def deliver(site: LiveSite, program: Path, message: bytes = MESSAGE) -> int:
    """Deliver a message to ann, whom passwd(5) knows for these processes alone; the exit status."""
    home = home_of(site, "ann")
    accounts = site.directory / "passwd"
    accounts.write_text(Path("/etc/passwd").read_text() + f"ann:x:{FIRST_UID}:{FIRST_UID}::{home}:/bin/sh\n")
    command = [str(program), "--site", str(site.site), f"--sender={SENDER}", "ann"]
    inside = ["unshare", "--mount", "sh", "-c", _NAMESPACE, str(accounts)]
    return subprocess.run([*inside, *command], input=message, check=False, timeout=120).returncode


def taken(directory: Path) -> list[bytes]:
    """The messages of a Maildir, which is empty from now on."""
    messages = []
    for file in (directory / "new").iterdir():
        messages.append(file.read_bytes())
        file.unlink()
    return messages


@pytest.mark.interop
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("filter_program", FILTERS)
def test_a_filter_sorts_mail_into_the_home(site: LiveSite, program: Path, filter_program: str, place: str) -> None:
    home = home_of(site, "ann")
    instruct(site, place, filter_program)
    write(site, RULES[filter_program], shown(RULES[filter_program].removeprefix(".")))
    for part in ("lists", "lists/tmp", "lists/new", "lists/cur"):
        (home / part).mkdir(exist_ok=True)
        os.chown(home / part, FIRST_UID, FIRST_UID)
    other = MESSAGE.replace(b"for a list", b"for ann")
    assert [deliver(site, program, message) for message in (MESSAGE, other)] == [0, 0]
    for directory, sent in (("lists", MESSAGE), ("Maildir", other)):
        (found,) = taken(home / directory)
        assert found.endswith(sent)
        assert b"Delivered-To: ann@" in found or (place, filter_program) == (".qmail", "maildrop")


@pytest.mark.interop
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("filter_program", FILTERS)
@pytest.mark.parametrize(("status", "expected"), [(77, 100), (75, 111)])
def test_a_filters_exit_status_decides(
    site: LiveSite, program: Path, filter_program: str, place: str, status: int, expected: int
) -> None:
    instruct(site, place, filter_program)
    write(site, RULES[filter_program], ENDING[filter_program].format(status))
    assert deliver(site, program) == expected
    assert taken(home_of(site, "ann") / "Maildir") == []
