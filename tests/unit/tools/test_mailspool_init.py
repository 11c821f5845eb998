"""Tests of tools.mailspool_init and tools.site_making."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spool import durable
from tests.unit.tools.conftest import ACCOUNT, MadeSite, Run


def settings_of(site: Path) -> dict[str, Any]:
    return tomllib.loads((site / "mailspool.toml").read_text())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_site_is_made_ready(make: Callable[..., MadeSite]) -> None:
    site = make("--listen", "pop3=127.0.0.1:0", "--listen", "pop3s=[::1]:0")
    assert {path.name for path in site.directory.iterdir()} == {"control", "mailspool.toml", "run", "spool", "tls"}
    assert site.run("config", "check").status == 0
    protocols = [listener["protocol"] for listener in settings_of(site.directory)["listener"]]
    assert protocols == ["pop3", "pop3s"]


def test_secrets_and_the_key_are_for_nobody_else(site: MadeSite) -> None:
    secrets = [site.control / "passwd", site.control / "apop", site.directory / "tls" / "key.pem"]
    assert [mode(path) for path in secrets] == [0o600] * 3


def test_a_site_that_serves_shows_how_it_takes_mail_of_its_own_machine(make: Callable[..., MadeSite]) -> None:
    site = make("--listen", "pop3=127.0.0.1:0", "--listen", "lmtp=127.0.0.1:0")
    file = site.directory / "mailspool.toml"
    text = file.read_text()
    shown = text.partition("# [[listener]]")
    assert shown[1]
    file.write_text(shown[0] + "\n".join(line.removeprefix("# ") for line in "".join(shown[1:]).splitlines()) + "\n")
    assert settings_of(site.directory)["listener"][-1]["address"] == f"unix:{site.directory}/run/lmtp"
    assert site.run("config", "check").status == 0


@pytest.mark.parametrize("options", [(), ("--listen", "lmtp=unix:/x/lmtp")])
def test_a_site_that_serves_nobody_or_has_such_a_listener_needs_no_example(
    make: Callable[..., MadeSite], options: tuple[str, ...]
) -> None:
    assert "# [[listener]]" not in (make(*options).directory / "mailspool.toml").read_text()


def test_what_was_said_and_where_mail_lies_is_printed(tmp_path: Path, run: Run) -> None:
    made = run("mailspool", "init", tmp_path / "s", "--spool-root", tmp_path / "mail", *ACCOUNT)
    assert made.out == f"made {tmp_path}/s; mail lies under {tmp_path}/mail\n"
    assert (tmp_path / "mail").is_dir()
    assert mode(tmp_path / "mail") == 0o711


def test_options_and_settings_are_written(make: Callable[..., MadeSite]) -> None:
    site = make(
        "--layout", "hex2", "--maildrop", "mbox", "--set", "workers.count=3", "--set", "pop3.last=true",
        "--set", "workers.drain_seconds=1.5", "--set", "pop3.rpop_networks=192.0.2.0/24,2001:db8::/32",
    )  # fmt: skip
    settings = settings_of(site.directory)
    assert settings["spool"]["layout"] == "hex2"
    assert settings["spool"]["maildrop"][0] == "{home}/Mailbox"
    assert settings["workers"] == {"count": 3, "drain_seconds": 1.5}
    assert settings["pop3"] == {"last": True, "rpop_networks": ["192.0.2.0/24", "2001:db8::/32"]}


@pytest.mark.parametrize("there", ["a site", "a file", "something else"])
def test_what_exists_is_not_touched(tmp_path: Path, run: Run, there: str) -> None:
    directory = tmp_path / "site"
    match there:
        case "a site":
            run("mailspool", "init", directory, *ACCOUNT)
        case "a file":
            directory.write_text("precious")
        case _:
            directory.mkdir()
            (directory / "precious").touch()
    before = directory.stat().st_mtime_ns
    refused = run("mailspool", "init", directory, *ACCOUNT)
    assert refused.status == 1
    assert refused.err == f"mailspool: {directory}: there is something already; a site is made in a new directory\n"
    assert directory.stat().st_mtime_ns == before


def test_an_empty_directory_is_filled(tmp_path: Path, run: Run) -> None:
    (tmp_path / "site").mkdir()
    assert run("mailspool", "init", tmp_path / "site", *ACCOUNT).status == 0
    assert (tmp_path / "site" / "mailspool.toml").exists()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--listen", "pop3"), "--listen: expected PROTOCOL=ADDRESS:PORT, found 'pop3'"),
        (("--listen", "imap=127.0.0.1:143"), "listener[1].protocol: expected one of pop3, pop3s, lmtp, found 'imap'"),
        (("--listen", "pop3=localhost:110"), "expected an IPv4 address"),
        (("--listen", "pop3=127.0.0.1:110", "--listen", "pop3s=127.0.0.1:110"), "two listeners have 127.0.0.1:110"),
        (("--set", "pop3.last"), "expected SECTION.KEY=VALUE, found 'pop3.last'"),
        (("--set", "pop4.last=true"), "unknown section 'pop4'"),
        (("--set", "pop3.first=true"), "pop3.first: unknown key"),
        (("--set", "pop3.last=yes"), "pop3.last: expected true or false, found 'yes'"),
        (("--set", "workers.count=many"), "workers.count: expected a whole number, found 'many'"),
        (("--set", "workers.drain_seconds=nan"), "workers.drain_seconds: expected a number, found 'nan'"),
        (("--set", "pop3.busy=sleep"), "pop3.busy: expected"),
        (("--set", "workers.count=-1"), "workers.count: expected at least 0, found -1"),
        (("--user", "no-such-account"), "no-such-account"),
    ],
)
def test_what_does_not_fit_is_told_and_nothing_is_made(
    tmp_path: Path, run: Run, options: tuple[str, ...], problem: str
) -> None:
    account = () if "--user" in options else ACCOUNT
    refused = run("mailspool", "init", tmp_path / "site", *account, *options)
    assert refused.status == 1
    assert problem in refused.err
    assert refused.err.startswith("mailspool: ")
    assert refused.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [(), ("init",), ("init", "a", "b"), ("init", "a", "--layout", "spiral"), ("dance",)])
def test_a_usage_error_is_status_2(run: Run, words: tuple[str, ...]) -> None:
    refused = run("mailspool", *words)
    assert refused.status == 2
    assert "usage: mailspool" in refused.err


def test_what_a_crash_left_behind_is_replaced(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(durable, "rename", fail)
        assert run("mailspool", "init", tmp_path / "site", *ACCOUNT).status == 1
    assert not (tmp_path / "site").exists()
    assert (tmp_path / "site.new").exists()
    assert run("mailspool", "init", tmp_path / "site", *ACCOUNT).status == 0
    assert not (tmp_path / "site.new").exists()


def test_the_site_may_come_from_the_environment(site: MadeSite, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILSPOOL_SITE", str(site.directory))
    assert run("mailspool", "config", "check").status == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root chooses an account")
def test_root_makes_no_site_of_its_own(tmp_path: Path, run: Run) -> None:
    refused = run("mailspool", "init", tmp_path / "site", "--user", "root")
    assert (refused.status, refused.err) == (1, "mailspool: --user: the service does not run as uid 0\n")
