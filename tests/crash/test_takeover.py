"""Taking a directory over is stopped after every file operation, and run again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from spool.assign_directory import AssignDirectory
from spool.directory_sources import Account, Additions
from spool.names import DomainName
from spool.progress import NoProgress
from spool.settings import SpoolSettings
from spool.site import Site
from spool.takeover import Directory, Policy, TakenOver, Takeover
from tests.crash.stopping import Stopped, each_stop

UID, GID = os.getuid() or 1000, os.getgid() or 1000


def site_in(directory: Path) -> Site:
    return Site(directory / "site")


def take_over(directory: Path, *names: str) -> TakenOver:
    """Make these the users of the site, with homes, in a domain."""
    domains = (DomainName("example.org"),)
    accounts = {name.encode(): Account(1, name.encode(), None, None, None, domains) for name in names}
    settings = SpoolSettings(directory / "mail", layout="first", home_link=f"{directory}/home/{{user}}")
    policy = Policy(make_homes=True, max_drop=1)
    taker = Takeover(site_in(directory), settings, default=lambda: (UID, GID), policy=policy)
    return taker.run(Directory(accounts, (), Additions()), NoProgress())


def users(directory: Path) -> list[str]:
    return [str(name) for name, _ in AssignDirectory(site_in(directory).assign_compiled).users()]


def stops(tmp_path: Path) -> Iterator[Stopped[Path]]:
    """Stop replacing ann and bob by bob and cid."""

    def prepare(number: int) -> Path:
        directory = tmp_path / str(number)
        for path in (directory / "mail", directory / "home", site_in(directory).control):
            path.mkdir(parents=True)
        site_in(directory).assign.write_bytes(b".\n")
        site_in(directory).locals.write_text("example.org\n")
        take_over(directory, "ann", "bob")
        return directory

    def arrange(directory: Path) -> Callable[[], object]:
        return lambda: take_over(directory, "bob", "cid")

    return each_stop(prepare, arrange)


def test_look_ups_see_the_old_users_or_the_new_ones_at_every_stop(tmp_path: Path) -> None:
    for stopped in stops(tmp_path):
        found = users(stopped.state)
        assert found == ["bob", "cid"] if stopped.completed else found in (["ann", "bob"], ["bob", "cid"])


def test_whoever_is_a_user_has_a_home_at_every_stop(tmp_path: Path) -> None:
    for stopped in stops(tmp_path):
        for name in users(stopped.state):
            assert (stopped.state / "mail" / name[0] / name / "Maildir" / "new").is_dir()


def test_the_same_command_finishes_what_was_stopped_and_the_old_text_is_kept(tmp_path: Path) -> None:
    for stopped in stops(tmp_path):
        directory = stopped.state
        take_over(directory, "bob", "cid")
        assert users(directory) == ["bob", "cid"]
        assert site_in(directory).domains.read_text() == "bob:example.org\ncid:example.org\n"
        assert (directory / "home" / "cid").readlink() == directory / "mail" / "c" / "cid"
        assert (site_in(directory).control / "assign.last").read_text().startswith("=ann:ann:")
        leftovers = [path for path in site_in(directory).control.iterdir() if path.name.startswith(".")]
        assert all(path.name.endswith(".new") for path in leftovers)
